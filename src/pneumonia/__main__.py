"""Runs pipelines from the installed package: `python -m pneumonia --conf-source=conf-pneumonia.tar.gz --env=demo`."""

import contextlib
import os
import sys

from click import ClickException
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run
from kedro.framework.project import LOGGING, configure_project

from pneumonia.runs.configuration import PlainConfigLoader
from pneumonia.runs.errors import INSTALLED


def main(arguments: list[str] | None = None) -> None:
    """Run what `kedro run` would run, without a checkout, and log as logging.yml of the configuration says.

    Kedro itself seeks that file in `conf` of the current folder alone.

    Args:
        arguments: Options of `kedro run`; if None, those of the command line.
    """
    given = sys.argv[1:] if arguments is None else arguments
    configure_project("pneumonia")
    conf_source = run.make_context(INSTALLED, [*given], resilient_parsing=True).params["conf_source"]
    if conf_source and "KEDRO_LOGGING_CONFIG" not in os.environ:
        with contextlib.suppress(MissingConfigException, ClickException):  # the run itself reports a damaged archive
            LOGGING.configure(PlainConfigLoader(conf_source, config_patterns={"logging": ["logging.yml"]})["logging"])
    run.main(given, prog_name=INSTALLED)


if __name__ == "__main__":
    main()
