"""From the bytes of a file to a picture in memory: the only entry for images.

Examination, near-duplicate search and decoding for the network all open files here, so that all see the same pixels.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.images import dicom
from pneumonia.images.refusal import RefusedError

# Formats that Pillow decodes, with their usual suffixes.
FORMATS = {
    "JPEG": (".jpeg", ".jpg", ".jpe"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
}

# What Pillow raises for damaged files, and for files far larger than any radiograph.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, NotImplementedError,
    AssertionError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

# Depths of radiographic detectors, in bits. Files of 16 bits often hold 10, 12 or 14.
DETECTOR_DEPTHS = (10, 12, 14, 16)


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """Open a file as a Pillow image: DICOM decoded to 8 bits, anything else as Pillow opens it.

    Raises:
        RefusedError: If it is a DICOM file that is not a usable radiograph, or cannot be decoded.
        OSError: If it is not an image; see `DECODER_ERRORS` for what decoding may raise later.
    """
    if dicom.is_dicom(data):
        yield dicom.open_dicom(data).grey()
        return
    with Image.open(io.BytesIO(data), formats=tuple(FORMATS)) as image:
        yield image


def to_grey(image: Image.Image) -> Image.Image:
    """Return an image's luminance (ITU-R 601-2) in 8 bits; transparency becomes black.

    Raises:
        RefusedError: If its values have no defined range.
    """
    if image.mode == "F":
        raise RefusedError("floating point values, whose range is not defined; store 8 or 16 bits")
    if image.mode.startswith("I"):
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("L")
    return image if image.mode == "L" else image.convert("L")  # convert copies


def _to_8_bits(values: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Scale by the smallest detector depth that holds all values: 12-bit 4095 and 16-bit 65535 become 255."""
    lowest, highest = int(values.min()), int(values.max())
    depth = next((depth for depth in DETECTOR_DEPTHS if highest < 2**depth), None)
    if depth is None or lowest < 0:
        raise RefusedError(f"values from {lowest} to {highest}; only unsigned values of up to 16 bits are supported")
    return np.rint(values * np.float32(255 / (2**depth - 1))).astype(np.uint8)
