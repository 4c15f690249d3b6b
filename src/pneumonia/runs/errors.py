"""The error that a user can act on, as Kedro and its command line understand it."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

from click import ClickException
from kedro.io import DatasetError

from pneumonia.base.errors import UserError

INSTALLED = "python -m pneumonia"

Result = TypeVar("Result")


class PlainError(UserError, ClickException, DatasetError):  # type: ignore[misc] # both declare `message`
    """A `UserError` that reaches the user unchanged.

    As a ``ClickException`` it ends a command with one line and status 1 instead of a traceback. As a
    ``DatasetError`` it leaves a dataset's ``load`` and ``save`` unwrapped.
    """


def plainly(call: Callable[..., Result]) -> Callable[..., Result]:
    """Let a function that Kedro calls raise each `UserError` as a `PlainError`, with the command that was used."""

    @wraps(call)
    def called(*args: object, **kwargs: object) -> Result:
        try:
            return call(*args, **kwargs)
        except PlainError:
            raise
        except UserError as error:
            raise PlainError(error.message.replace("kedro run", command_to_run())) from error.__cause__

    return called


def command_to_run() -> str:
    """Return what starts runs here: `kedro run` in a checkout, `python -m pneumonia` where the package is installed."""
    return INSTALLED if Path(sys.argv[0]).parts[-2:] == ("pneumonia", "__main__.py") else "kedro run"
