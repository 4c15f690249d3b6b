"""The error that a user can act on."""

from click import ClickException
from kedro.io import DatasetError


class UserError(ClickException, DatasetError):
    """What happened and what to do, in one or two sentences.

    As a ``ClickException`` it ends ``kedro run`` with one line and status 1 instead of a traceback. As a
    ``DatasetError`` it leaves a dataset's ``load`` and ``save`` unwrapped.
    """

    def __str__(self) -> str:
        """Return the message."""
        return self.message
