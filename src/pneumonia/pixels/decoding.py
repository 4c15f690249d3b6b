"""From the bytes of an image file to the pixels a network sees, or the reason why there are none.

One function serves training, evaluation and single images. The stored number of channels and the original size must not
show in the pixels: both correlate with the class in the published images.

This module and what it imports also lie beside an exported model, so they need no more than NumPy, Pillow, simplejpeg
and, for DICOM, pydicom.
"""

from math import ceil
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, features

from pneumonia.base.errors import UserError
from pneumonia.images.examine import Limits, examine_image
from pneumonia.images.opening import DECODER_ERRORS, MASK, is_mask, open_image, to_grey, turn_of

Resize = Literal["pad", "crop", "squeeze"]
Box = tuple[float, float, float, float]

# Identifies this module's results: raise the number whenever the pixels of any image change. Another release of
# Pillow, or a Pillow built on another machine, may bring another JPEG decoder.
DECODER = f"decoder1-pillow{PIL.__version__}-jpeg{features.version('libjpeg_turbo') or features.version('jpg')}"

# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if that leaves at least this many times the wanted pixels. With
# fewer, the pixels shift by an amount that depends on the original size.
OVERSAMPLING = 2

# Default limits on a file, the same as in the parameters of ingest.
LIMITS = Limits(min_side=32, max_pixels=50_000_000)
MAX_FILE_BYTES = 2**27


def fingerprint(image_size: int, resize: Resize) -> str:
    """Return what, together with an image's hash, determines every pixel: size, resize method and decoder."""
    return f"{image_size}-{resize}-{DECODER}"


def decode_image(
    data: bytes, image_size: int, resize: Resize, bits: int = 0, *, masks: bool = True
) -> npt.NDArray[np.uint8]:
    """Decode an image to one channel at a fixed size.

    EXIF orientation is applied, values of 16 bits are scaled as `pneumonia.images.depth` says, DICOM is decoded as
    `pneumonia.images.dicom` says. Shrinking is antialiased (triangle filter as wide as the step).

    Args:
        data: A file: JPEG, PNG, TIFF, BMP, GIF (its first picture), WebP or DICOM.
        image_size: Width and height of the result in pixels.
        resize: "pad" keeps the aspect ratio by black borders, "crop" by cutting the longer side to the
            central square, "squeeze" does not keep it.
        bits: The range of the values, where the file does not say it; 0: the one that this image alone would have.
        masks: Whether images of two grey levels are decoded, too.

    Returns:
        Grey values, uint8 `[image_size, image_size]`.

    Raises:
        UserError: If the image cannot be decoded completely.
    """
    try:
        with open_image(data, bits) as image:
            region, fitted = _geometry(image.size, image_size, resize)
            region = _draft(image, region, fitted)
            grey = to_grey(image, bits)
            if not masks and is_mask(grey.histogram()):
                raise UserError(MASK)
            small = grey.resize(fitted, Image.Resampling.BILINEAR, box=region)
            # Turning the small image is cheaper than turning the large one, and gives the same result. Pillow itself
            # turns TIFF files upright when it loads them, and then drops the tag.
            turn = turn_of(image)
            pixels = np.asarray(small if turn is None else small.transpose(turn))
    except DECODER_ERRORS as error:
        raise UserError(f"The image cannot be decoded completely ({error}).") from error
    result = np.zeros((image_size, image_size), np.uint8)
    top, left = (image_size - pixels.shape[0]) // 2, (image_size - pixels.shape[1]) // 2
    result[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return result


def _geometry(size: tuple[int, int], image_size: int, resize: Resize) -> tuple[Box, tuple[int, int]]:
    """Return the part of an image that is used, as left, top, right, bottom, and the size it comes to."""
    width, height = size
    whole = (0.0, 0.0, float(width), float(height))
    if resize == "squeeze":
        return whole, (image_size, image_size)
    if resize == "pad":
        scale = image_size / max(size)
        return whole, (max(1, round(width * scale)), max(1, round(height * scale)))
    side = min(size)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side), (image_size, image_size)


def _draft(image: Image.Image, region: Box, fitted: tuple[int, int]) -> Box:
    """Let a JPEG be decoded at a fraction of its size; return the region in pixels of that."""
    width = ceil(image.width * OVERSAMPLING * fitted[0] / (region[2] - region[0]))
    height = ceil(image.height * OVERSAMPLING * fitted[1] / (region[3] - region[1]))
    full_width = image.width
    drafted = image.draft("L", (width, height))
    scale = drafted[1][2] / full_width if drafted else 1.0
    left, top, right, bottom = region
    return left * scale, top * scale, right * scale, bottom * scale


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
        if not problem and error.message == MASK:  # it has two grey levels only in the range of its neighbours
            return Read(path, facts.sha256, "", decode_image(data, how.image_size, how.resize, bits))
        return Read(path, facts.sha256, problem or error.message, None)
