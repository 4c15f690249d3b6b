"""The command that started a run: `kedro run` in a checkout, `python -m pneumonia` where the package is installed."""

import re
import shlex
import sys
from importlib import metadata

import click

INSTALLED = "python -m pneumonia"


def this_command() -> str:
    """Return the command of this run, as it was typed."""
    program = "kedro" if _installed() is None else INSTALLED
    return shlex.join([*program.split(), *sys.argv[1:]])


def as_started(message: str) -> str:
    """Replace each `kedro run` by this run's command, and the checkout that pip installs by the wheel."""
    context = _installed()
    if context is None:
        return message
    source = context.params["conf_source"]
    wheel = f"pneumonia-{metadata.version('pneumonia')}-py3-none-any.whl"
    message = re.sub(r"""-e (["'])\.\[""", rf"\1{wheel}[", message)
    return message.replace("kedro run", INSTALLED + (f" --conf-source={shlex.quote(source)}" if source else ""))


def _installed() -> click.Context | None:
    """Return what the installed package was started with; None where something else was started."""
    context = click.get_current_context(silent=True)
    return context if context is not None and context.command_path == INSTALLED else None
