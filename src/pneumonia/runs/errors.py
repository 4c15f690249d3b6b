"""The error that a user can act on, as Kedro and its command line understand it."""

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TypeVar

from click import ClickException
from kedro.io import DatasetError

from pneumonia.base.errors import UserError, can_be_told, explain

INSTALLED = "python -m pneumonia"

ResultT = TypeVar("ResultT")


class PlainError(UserError, ClickException, DatasetError):  # type: ignore[misc] # both declare `message`
    """A `UserError` that reaches the user unchanged.

    As a ``ClickException`` it ends a command with one line and status 1 instead of a traceback. As a
    ``DatasetError`` it leaves a dataset's ``load`` and ``save`` unwrapped.
    """


def plainly(call: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """Let a function that Kedro calls raise what a user can act on as a `PlainError`, with the command in use."""

    @wraps(call)
    def called(*args: object, **kwargs: object) -> ResultT:
        try:
            return call(*args, **kwargs)
        except PlainError:
            raise
        except Exception as error:
            message = plain_message(error)
            if message is None:
                raise
            raise PlainError(message.replace("kedro run", command_to_run())) from (error.__cause__ or error)

    return called


def plain_message(error: BaseException) -> str | None:
    """Return what to tell a user: the message of the `UserError`, or of the system's error, behind an error."""
    for cause in causes(error):
        if isinstance(cause, UserError):
            return cause.message
        if isinstance(cause, OSError) and can_be_told(cause):
            return explain(cause)
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def command_to_run() -> str:
    """Return what starts runs here: `kedro run` in a checkout, `python -m pneumonia` where the package is installed."""
    return INSTALLED if Path(sys.argv[0]).parts[-2:] == ("pneumonia", "__main__.py") else "kedro run"
