"""The error that a user can act on."""


class UserError(Exception):
    """What happened and what to do, in one or two sentences.

    Attributes:
        message: The sentences.
    """

    def __init__(self, message: str) -> None:
        """Keep the message."""
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        """Return the message."""
        return self.message
