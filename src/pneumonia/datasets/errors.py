"""The error that a user can act on, as Kedro and its command line understand it."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from click import ClickException
from kedro.io import DatasetError

from pneumonia.base.errors import UserError
from pneumonia.datasets.command import as_started

Result = TypeVar("Result")


class PlainError(UserError, ClickException, DatasetError):  # type: ignore[misc] # both declare `message`
    """A `UserError` that reaches the user unchanged.

    As a ``ClickException`` it ends a command with one line and status 1 instead of a traceback. As a
    ``DatasetError`` it leaves a dataset's ``load`` and ``save`` unwrapped.
    """


def plainly(call: Callable[..., Result]) -> Callable[..., Result]:
    """Let a function that Kedro calls raise each `UserError` as a `PlainError`."""

    @wraps(call)
    def called(*args: object, **kwargs: object) -> Result:
        try:
            return call(*args, **kwargs)
        except PlainError:
            raise
        except UserError as error:
            raise PlainError(as_started(error.message)) from error.__cause__

    return called
