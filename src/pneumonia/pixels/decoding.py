"""From the bytes of an image file to the pixels a network sees.

One function serves training, evaluation and single images. The stored number of channels and the original size
must not show in the pixels: both go with the class in the published images.
"""

import io
from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt
import PIL
from PIL import ExifTags, Image

from pneumonia.base.errors import UserError
from pneumonia.images.examine import DECODER_ERRORS, FORMATS

Resize = Literal["pad", "crop", "squeeze"]
Box = tuple[float, float, float, float]

# Stands for this module's result: raise the number whenever the pixels of any image change. Another release
# of Pillow may bring another JPEG decoder.
DECODER = f"decoder1-pillow{PIL.__version__}"

# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where at least this many times the wanted pixels are left.
# At less, the pixels move by an amount that depends on the original size.
OVERSAMPLING = 2

# Depths of radiographic detectors, in bits. Files of 16 bits often hold 10, 12 or 14.
DETECTOR_DEPTHS = (10, 12, 14, 16)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, image_size: int, resize: Resize) -> npt.NDArray[np.uint8]:
    """Decode an image to one channel at a fixed size.

    EXIF orientation is respected, transparency lies on black, and 16-bit values are scaled by the smallest
    detector depth that holds them. Shrinking is antialiased (triangle filter as wide as the step).

    Args:
        data: A file: JPEG, PNG, TIFF, BMP, GIF (its first picture) or WebP.
        image_size: Width and height of the result in pixels.
        resize: "pad" keeps the aspect ratio by black borders, "crop" by cutting the longer side to the
            central square, "squeeze" does not keep it.

    Returns:
        Grey values, uint8 `[image_size, image_size]`.

    Raises:
        UserError: If the data is not a whole image.
    """
    try:
        with Image.open(io.BytesIO(data), formats=tuple(FORMATS)) as image:
            region, fitted = _geometry(image.size, image_size, resize)
            region = _draft(image, region, fitted)
            small = _to_grey(image).resize(fitted, Image.Resampling.BILINEAR, box=region)
            # After loading: Pillow itself turns TIFF files upright, and then drops the tag.
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODER_ERRORS as error:
        raise UserError(f"Not a whole image that can be decoded ({error}).") from error
    # Turning the small image is cheaper than turning the large one, and comes to the same.
    pixels = np.asarray(small.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else small)
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


def _to_grey(image: Image.Image) -> Image.Image:
    """Return an image's luminance (ITU-R 601-2) in 8 bits."""
    if image.mode == "F":
        raise ValueError("floating point values, whose range is not defined; store 8 or 16 bits")
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
        raise ValueError(f"values from {lowest} to {highest}; at most 16 bits without sign are understood")
    return np.rint(values * np.float32(255 / (2**depth - 1))).astype(np.uint8)
