"""From the bytes of a file to a picture in memory: the only entry for images.

Examination, near-duplicate search and decoding for the network all open files here, so that all see the same pixels.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image

from pneumonia.images import dicom
from pneumonia.images.depth import CONTAINER, Values, scale
from pneumonia.images.dicom_start import is_dicom
from pneumonia.images.status import RefusedError

# Formats that Pillow decodes, with their usual suffixes.
FORMATS = {
    "JPEG": (".jpeg", ".jpg", ".jpe", ".jfif"),
    "MPO": (".mpo", ".jpeg", ".jpg", ".jpe"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
}

# Pillow knows MPO only as a kind of JPEG.
_OPENED = tuple(name for name in FORMATS if name != "MPO")

# What Pillow raises for damaged files, and for files far larger than any radiograph.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, NotImplementedError,
    AssertionError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

# Set on an image whose alpha channel is opaque and was taken away when it was opened.
OPAQUE = "opaque alpha"
_MOST_DEEP_PIXELS = 50_000_000
_TWO_CHANNELS = "LA;16B"
# What a mask is called, how far its levels may lie apart, and how many of its pixels must have them. [levels, share]
MASK = "not a radiograph: two grey levels, as in a mask"
_NEARLY, _ALMOST_ALL = 16, 0.95
_PNG_HEADER = slice(12, 29)
# The tag of TIFF that says what low values mean.
_PHOTOMETRIC = 262


@contextmanager
def open_image(data: bytes, bits: int = 0) -> Iterator[Image.Image]:
    """Open a file as a Pillow image: DICOM decoded to 8 bits, anything else as Pillow opens it.

    Args:
        data: All bytes of the file.
        bits: The range of a DICOM image whose header does not say it: see `pneumonia.images.depth`.

    Raises:
        RefusedError: If it is a DICOM file that is not a usable radiograph, or cannot be decoded.
        OSError: If it is not an image; see `DECODER_ERRORS` for what decoding may raise later.
    """
    if is_dicom(data):
        yield dicom.open_dicom(data).grey(bits)
        return
    with Image.open(io.BytesIO(data), formats=_OPENED) as image:
        tiles = getattr(image, "tile", ())
        is_deep = any(tile.args == _TWO_CHANNELS for tile in tiles) and image.width * image.height <= _MOST_DEEP_PIXELS
        yield _open_grey_with_alpha(data) if is_deep else image


def to_grey(image: Image.Image, bits: int = 0) -> Image.Image:
    """Return an image's luminance (ITU-R 601-2) in 8 bits.

    Args:
        image: As `open_image` gives it.
        bits: The range of an image of 16 bits: see `pneumonia.images.depth`.

    Raises:
        RefusedError: If its values have no defined range, or parts of it are transparent.
    """
    if image.mode == "F":
        raise RefusedError("floating point values, whose range is not defined; store 8 or 16 bits")
    if image.mode.startswith("I"):
        values_of(image)
        grey = scale(np.asarray(image), bits)
        return Image.fromarray(255 - grey if _is_inverted(image) else grey)
    if image.has_transparency_data:
        return _without_alpha(image).convert("L")
    return image if image.mode == "L" else image.convert("L")  # convert copies


def values_of(image: Image.Image) -> Values:
    """Return the values that the range of an image of 16 bits follows from; of others, nothing.

    Raises:
        RefusedError: If they are no unsigned values of 16 bits, or one of them stands for transparency and occurs.
    """
    if not image.mode.startswith("I"):
        return Values()
    values = np.asarray(image)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest >= 2**CONTAINER:
        raise RefusedError(f"values from {lowest} to {highest}; only unsigned values of up to 16 bits are supported")
    if "transparency" in image.info:
        _refuse_transparent(int((values == image.info["transparency"]).sum()))
    return Values(f"{image.format} {image.mode[:4]}", CONTAINER, lowest, highest)


def _is_inverted(image: Image.Image) -> bool:
    """Tell whether low values of a TIFF are bright, which Pillow passes over in 16 bits."""
    return getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0


def is_mask(levels: Sequence[int]) -> bool:
    """Tell whether an image shows two grey levels, as masks do, given how many pixels have each of the 256.

    >>> is_mask([90, 10, *[0] * 254]), is_mask([50, 0, 1, *[0] * 252, 950]), is_mask([1] * 256)
    (True, True, False)
    """
    filled = [level for level, count in enumerate(levels) if count]
    if len(filled) < 3:
        return len(filled) == 2
    low, high = filled[0] + _NEARLY, filled[-1] - _NEARLY  # compression has blurred the two
    return high - low > 2 * _NEARLY and sum(levels[: low + 1]) + sum(levels[high:]) >= _ALMOST_ALL * sum(levels)


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return an image without its alpha channel, or what else stands for one, if all of it is opaque.

    Raises:
        RefusedError: If it is not.
    """
    if image.mode in ("La", "RGBa"):  # multiplied by alpha
        image = image.convert(image.mode.upper())
    whole = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    alpha = whole.getchannel("A")
    if image.format == "BMP" and not any(alpha.histogram()[1:]):
        return whole.convert("RGB")  # a channel that is not used
    _refuse_transparent(sum(alpha.histogram()[:-1]))
    return whole.convert("RGB")


def _refuse_transparent(transparent: int) -> None:
    if transparent:
        raise RefusedError("transparency: not all of its pixels are opaque")


def _open_grey_with_alpha(data: bytes) -> Image.Image:
    """Open a PNG of grey and alpha in 16 bits, of which Pillow would keep the upper 8.

    Its four bytes a pixel are read as four channels of 8 bits: filters work on bytes, so the data are the same.

    Raises:
        RefusedError: If it is not opaque everywhere.
    """
    header = bytearray(data[_PNG_HEADER])
    header[12:14] = b"\x08\x06"
    changed = data[:12] + bytes(header) + struct.pack(">I", zlib.crc32(header)) + data[33:]
    with Image.open(io.BytesIO(changed), formats=("PNG",)) as image:
        channels = np.asarray(image).astype(np.uint16)
    alpha = channels[..., 2] * 256 + channels[..., 3]
    _refuse_transparent(int((alpha != 2**CONTAINER - 1).sum()))
    opened = Image.fromarray(channels[..., 0] * 256 + channels[..., 1])
    opened.format, opened.info = "PNG", {**image.info, OPAQUE: True}
    return opened
