"""From the bytes of one file to the pixels that a network takes, or the reason why there are none.

This module and what it imports also lie beside an exported model, so they need no more than NumPy, Pillow, simplejpeg
and, for DICOM, pydicom.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pneumonia.base.errors import UserError
from pneumonia.images.examine import Limits, examine_image
from pneumonia.pixels.decoding import Resize, decode_image

# Default limits on a file, the same as in the parameters of ingest.
LIMITS = Limits(min_side=32, max_pixels=50_000_000)
MAX_FILE_BYTES = 2**27


class ReadingSettings(NamedTuple):
    """How images are read: the square that the network takes, and the limits for a file."""

    image_size: int
    resize: Resize
    limits: Limits = LIMITS
    max_file_bytes: int = MAX_FILE_BYTES


class Read(NamedTuple):
    """An image that was read, or the problem that it has."""

    path: str
    sha256: str
    problem: str
    pixels: npt.NDArray[np.uint8] | None


def may_be_deep(path: str) -> bool:
    """Tell whether a file may have more than 8 bits, by its suffix."""
    return not path.lower().endswith((".jpeg", ".jpg", ".jpe", ".gif", ".webp", ".bmp"))


def read_image(data: bytes, path: str, how: ReadingSettings, bits: int = 0) -> Read:
    """Check and decode an image.

    Args:
        data: All bytes of the file.
        path: Its name in the table, for its suffix.
        how: Size, resize method and limits.
        bits: The range of its values, as `pneumonia.images.depth` says.
    """
    if len(data) > how.max_file_bytes:
        return Read(path, "", f"more than {how.max_file_bytes:,} bytes", None)
    facts = examine_image(data, path, how.limits, compare=False)
    if facts.refusal:
        return Read(path, facts.sha256, facts.refusal, None)
    try:
        return Read(path, facts.sha256, "", decode_image(data, how.image_size, how.resize, bits, masks=False))
    except UserError as error:
        problem = examine_image(data, path, how.limits).refusal  # as ingest would word it
        return Read(path, facts.sha256, problem or error.message, None)
