"""The error for an image that is not used."""


class RefusedError(ValueError):
    """A file that must not be used as an image. The message is the reason, as in the index."""
