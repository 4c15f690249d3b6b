"""What a file is that cannot be used as an image, in words for a table."""

import io

from PIL import TiffImagePlugin

from pneumonia.images.dicom_codecs import read_codestream
from pneumonia.images.opening import DECODER_ERRORS

_JPEG, _TIFF = b"\xff\xd8\xff", (b"II*\0", b"MM\0*")
_HEADER = "damaged: its header cannot be read"
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
_SIZE, _COMPRESSION, _COLOURS, _PLACES = (256, 257, 258), 259, 262, {273, 324}
_COMPRESSIONS = (1, 5, 7, 8, 32773, 32946, 33003, 33005, 34712, 34887, 34925, 50000, 50001, 50002)
_MOST_COLOURS = 8


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
        return "not read: TIFF of an unusual kind. Store it as PNG of 8 or 16 bits, without alpha channel"
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
        colours = directory.get(_COLOURS, _MOST_COLOURS + 1)
        return is_complete and directory.get(_COMPRESSION, 1) in _COMPRESSIONS and colours <= _MOST_COLOURS
    except DECODER_ERRORS:
        return False


def _is_text(start: bytes) -> bool:
    return all(32 <= byte < 0xFE or byte in b"\t\r\n" for byte in start)


def name_damage(error: Exception) -> str:
    """Say what is wrong with a file that its decoder gave up on."""
    text = str(error).strip()
    return f"truncated: {text}" if "truncated" in text.lower() else f"damaged: {text or type(error).__name__}"
