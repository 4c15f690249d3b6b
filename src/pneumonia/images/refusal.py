"""The errors for a file that is not used."""

SEVERAL_FRAMES = "several frames in one file"
CUT = "truncated: its pixel data end before the image does"


class RefusedError(ValueError):
    """A file that must not be used as an image. The message is the reason, as in the index."""


class OtherObjectError(RefusedError):
    """A sound file that shows something else than a frontal chest radiograph."""
