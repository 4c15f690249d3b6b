"""From the bytes of a file to a picture in memory, or to words for what it is instead: the only entry for images.

Examination, near-duplicate search and decoding for the network all open files here, so that all see the same pixels.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from pneumonia.images import dicom
from pneumonia.images.depth import CONTAINER, Values, scale
from pneumonia.images.dicom_codecs import read_codestream
from pneumonia.images.dicom_values import is_dicom
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
UNUSUAL_TIFF = "not read: TIFF of an unusual kind. Store it as PNG of 8 or 16 bits, without alpha channel"
MASK = "not a radiograph: two grey levels, as in a mask"
_NEARLY, _ALMOST_ALL = 16, 0.95
_PNG_HEADER = slice(12, 29)
# The tag of TIFF that says what low values mean.
_PHOTOMETRIC = 262
_JPEG, _TIFF = b"\xff\xd8\xff", (b"II*\0", b"MM\0*")
_HEADER = "damaged: its header cannot be read"
# How an image is turned upright, by the orientation in its EXIF data.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# The big-endian one of more than 4 GB, which Pillow does not know.
_BIG_TIFF = b"MM\0+"
# How files of each format begin.
_SIGNATURES = (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", *_TIFF, b"RIFF")
# What other files begin with, or have 4 bytes further on.
_OTHER_FORMATS = {
    "JPEG 2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "HEIF": (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1"),
    "AVIF": (b"ftypavif", b"ftypavis"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "a portable map": (b"P2\n", b"P3\n", b"P5\n", b"P6\n", b"P2 ", b"P5 "),
    "MetaImage": (b"ObjectType = ", b"NDims = "),
    "NRRD": (b"NRRD0",),
    "NIfTI": (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0n+2"),
    "an array of NumPy": (b"\x93NUMPY", b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0"),
    "Photoshop's": (b"8BPS",),
    "PDF": (b"%PDF-",),
}
# The size of a file of JSRT: 2,048 x 2,048 values of 16 bits, and nothing else.
_JSRT_BYTES = 2 * 2048**2
# What a TIFF must say of itself, by tag: its size, compressions and colours that are in use.
_SIZE, _COMPRESSION, _PLACES = (256, 257, 258), 259, {273, 324}
_COMPRESSIONS = (1, 5, 7, 8, 32773, 32946, 33003, 33005, 34712, 34887, 34925, 50000, 50001, 50002)
_MOST_COLOURS = 8


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


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return how an image is turned upright; None if it is, or if its EXIF data, which say so, are damaged."""
    bare = Image.new("L", (1, 1))  # a file's own class may read more, or remember half of what it read
    bare.info = dict(image.info)
    try:
        return _TURNS.get(bare.getexif().get(ExifTags.Base.Orientation, 1))
    except DECODER_ERRORS:
        return None


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


def name_content(data: bytes) -> str:
    """Say what a file that cannot be opened as an image may be instead."""
    for name, starts in _OTHER_FORMATS.items():
        if data.startswith(starts) or data[4:].startswith(starts):
            return _say_format(name)
    if data.startswith(_JPEG):
        return name_unusual_jpeg(data) or _HEADER
    if len(data) == _JSRT_BYTES and not data.startswith(_SIGNATURES):
        return _say_format("values without a header, as in JSRT's")
    if data.startswith(_BIG_TIFF) or (data.startswith(_TIFF) and _is_known_tiff(data)):
        return UNUSUAL_TIFF
    if _is_text(data[:512]):
        return "text, not an image"
    return _HEADER if data.startswith(_SIGNATURES) else "not an image"


def name_unusual_jpeg(data: bytes) -> str:
    """Say why a JPEG is not read if it is not of the usual kind, of 8 bits and with loss; "" if it is.

    The decoder that looks for damage writes behind its memory where a JPEG has no loss.
    """
    stream = read_codestream(data)
    if stream is None:
        return _HEADER
    return _say_format(stream.kind) if stream.kind else ""


def _say_format(name: str) -> str:
    return f"not read: {name} format. Store it as PNG of 8 or 16 bits"


def _is_known_tiff(data: bytes) -> bool:
    """Tell whether a TIFF is not damaged, but of a depth or with channels that Pillow does not know."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        content = io.BytesIO(data)
        content.seek(directory.next)
        directory.load(content)
        is_complete = all(map(directory.get, _SIZE)) and not _PLACES.isdisjoint(directory)
        colours = directory.get(_PHOTOMETRIC, _MOST_COLOURS + 1)
        return is_complete and directory.get(_COMPRESSION, 1) in _COMPRESSIONS and colours <= _MOST_COLOURS
    except DECODER_ERRORS:
        return False


def _is_text(start: bytes) -> bool:
    return all(32 <= byte < 0xFE or byte in b"\t\r\n" for byte in start)


def name_damage(error: Exception) -> str:
    """Say what is wrong with a file that its decoder gave up on."""
    text = str(error).strip()
    return f"truncated: {text}" if "truncated" in text.lower() else f"damaged: {text or type(error).__name__}"
