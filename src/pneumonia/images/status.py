"""What becomes of an image file: the values of `status` in the image index, and the errors for one that is not used."""

OK, DUPLICATE = "ok", "duplicate"
# Begins the reason of a duplicate; the path of the file that is kept follows.
COPY_OF = "copy of "
# Damaged, or of a kind that cannot be read.
REJECTED = "rejected"
# A sound file that shows something else: another part or view, a mask, a report.
OTHER = "other object"
# The table of labels does not use the file, so it is not read.
LEFT_OUT = "left out"

SEVERAL_FRAMES = "several frames in one file"
CUT = "truncated: its pixel data end before the image does"


class RefusedError(ValueError):
    """A file that must not be used as an image. The message is the reason, as in the index."""


class OtherObjectError(RefusedError):
    """A sound file that shows something else than a frontal chest radiograph."""
