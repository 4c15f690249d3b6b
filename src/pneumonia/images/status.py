"""What becomes of an image file: the values of `status` in the image index."""

OK, DUPLICATE = "ok", "duplicate"
# Begins the reason of a duplicate; the path of the file that is kept follows.
COPY_OF = "copy of "
# Damaged, or of a kind that cannot be read.
REJECTED = "rejected"
# A sound file that shows something else: another part or view, a mask, a report.
OTHER = "other object"
# The table of labels does not use the file, so it is not read.
LEFT_OUT = "left out"
