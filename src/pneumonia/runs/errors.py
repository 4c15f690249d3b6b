"""The error that a user can act on, as Kedro and its command line understand it."""

import re
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TypeVar

from click import ClickException
from kedro.io import DatasetError

from pneumonia.base.errors import UserError, can_be_told, explain

INSTALLED = "python -m pneumonia"
LOCAL = "local"

# A command in a message, to the end of its sentence.
_COMMAND = re.compile(r"kedro run((?:(?!kedro run|\. ).)*)", re.DOTALL)

_session = {"env": LOCAL}  # Kedro tells it only once, when it sets up a session

ResultT = TypeVar("ResultT")


class PlainError(UserError, ClickException, DatasetError):  # type: ignore[misc] # both declare `message`
    """A `UserError` that reaches the user unchanged.

    As a ``ClickException`` it ends a command with one line and status 1 instead of a traceback. As a
    ``DatasetError`` it leaves a dataset's ``load`` and ``save`` unwrapped.
    """


def plainly(call: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """Let a function that Kedro calls raise what a user can act on as a `PlainError`, with commands that run here."""

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
            raise PlainError(in_this_environment(message)) from (error.__cause__ or error)

    return called


def enter_environment(env: str | None) -> None:
    """Note for which environment messages name commands from now on."""
    _session["env"] = env or LOCAL


def in_this_environment(message: str) -> str:
    """Return a message whose commands run here: in this environment, unless they name one."""
    env = "" if _session["env"] == LOCAL else f" --env={_session['env']}"

    def said(found: re.Match[str]) -> str:
        rest = found[1]
        return command_to_run() + ("" if "--env" in rest else env) + rest

    return _COMMAND.sub(said, message)


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
