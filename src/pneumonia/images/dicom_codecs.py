"""The bits of a DICOM image as stored, whatever the transfer syntax, and where its codestream contradicts a header."""

import io
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.images.dicom_apart import Request, decode, decode_apart
from pneumonia.images.dicom_pixels import blocks_of
from pneumonia.images.status import CUT, SEVERAL_FRAMES, OtherObjectError, RefusedError

_BASELINE, _EXTENDED, _LOSSLESS, _LOSSLESS_SV1 = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_LS, _JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
_FAMILIES = (
    (_BASELINE, _EXTENDED), (_LOSSLESS, _LOSSLESS_SV1), (_JPEG_LS, "1.2.840.10008.1.2.4.81"),
    (_JPEG_2000, "1.2.840.10008.1.2.4.91"),
)  # fmt: skip
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN)
RLE = "1.2.840.10008.1.2.5"
# Transfer syntaxes that the packages of the extra dicom read.
READ = (*_NATIVE, RLE, *(syntax for family in _FAMILIES for syntax in family))
# Transfer syntaxes by the marker of a JPEG frame.
_BY_MARKER = {
    0xC0: _BASELINE, 0xC1: _EXTENDED, 0xC2: _EXTENDED, 0xC9: _EXTENDED, 0xCA: _EXTENDED, 0xC3: _LOSSLESS_SV1,
    0xF7: _JPEG_LS,
}  # fmt: skip
_JP2 = b"\x00\x00\x00\x0cjP  "
# How a codestream begins.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", _JP2)
# How encapsulated pixel data begin: the item of the offset table.
ENCAPSULATED = b"\xfe\xff\x00\xe0"


_OTHER_SYNTAX = "pixel data of another transfer syntax than the header says"


class Codestream(NamedTuple):
    """What a compressed image says of itself."""

    syntax: str
    bits: int
    components: int
    height: int
    width: int
    is_signed: bool = False

    @property
    def kind(self) -> str:
        """The kind of a JPEG that is not the usual one of 8 bits and with loss; "" if it is."""
        if self.syntax in (_BASELINE, _EXTENDED):
            return "" if self.bits == 8 else f"{self.bits}-bit JPEG"
        return "JPEG-LS" if self.syntax == _JPEG_LS else "lossless JPEG"


class Raw(NamedTuple):
    """Allocated bits, `[rows, columns]`; how many of them are stored, up to which place; what is unusual."""

    values: npt.NDArray[Any]
    bits: int
    high_bit: int
    notes: tuple[str, ...] = ()


def read_codestream(frame: bytes) -> Codestream | None:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 codestream; None if it is none of these."""
    try:
        if frame.startswith(_JP2):
            frame = frame[frame.index(b"jp2c") + 4 :]
        if frame.startswith(b"\xff\x4f\xff\x51"):
            x1, y1, x0, y0 = struct.unpack(">4I", frame[8:24])
            components, depth = struct.unpack(">HB", frame[40:43])
            return Codestream(_JPEG_2000, (depth & 0x7F) + 1, components, y1 - y0, x1 - x0, bool(depth & 0x80))
        position = 2 if frame.startswith(b"\xff\xd8") else len(frame)
        while position < len(frame):
            if frame[position] != 0xFF:
                return None
            marker = frame[position + 1]
            if marker in _BY_MARKER:
                bits, height, width, components = struct.unpack(">BHHB", frame[position + 4 : position + 10])
                return Codestream(_BY_MARKER[marker], bits, components, height, width)
            position += 1 if marker == 0xFF else 2 + struct.unpack(">H", frame[position + 2 : position + 4])[0]
    except (struct.error, IndexError, ValueError):
        return None
    return None


def first_frame(pixel_data: bytes) -> bytes:
    """Return the first frame of encapsulated pixel data."""
    from pydicom.encaps import get_frame

    return get_frame(pixel_data, 0, number_of_frames=1)


def packed_syntax(pixel_data: bytes) -> str:
    """Return the transfer syntax of encapsulated pixel data, as their bytes show it."""
    stream = read_codestream(first_frame(pixel_data))
    return stream.syntax if stream else RLE


def decode_raw(dataset: Any, syntax: str, header: Mapping[str, Any]) -> Raw:
    """Decode the stored bits of an image of one sample per pixel.

    Args:
        dataset: The data set of pydicom.
        syntax: The transfer syntax, as it really is.
        header: Numbers by keyword.

    Raises:
        RefusedError: If the codestream is not what the header says.
        ValueError: Or what else pydicom raises, if it is damaged.
    """
    shape = (header["Rows"], header["Columns"])
    allocated = header.get("BitsAllocated") or 8 * (1 + (header.get("BitsStored", 8) > 8))
    stored = min(header.get("BitsStored") or allocated, allocated)
    high = header.get("HighBit")
    high = stored - 1 if high is None or high >= allocated else high
    notes: tuple[str, ...] = ()
    if syntax in _NATIVE and dataset.PixelData.startswith(ENCAPSULATED):
        syntax, notes = packed_syntax(dataset.PixelData), (_OTHER_SYNTAX,)
    frames = _count_frames(dataset.PixelData, syntax, shape[0] * shape[1] * allocated // 8)
    if frames > 1:
        raise OtherObjectError(SEVERAL_FRAMES)
    if syntax in _NATIVE and not frames:
        raise RefusedError(CUT)
    if syntax in (*_NATIVE, RLE):
        return Raw(_as_array(dataset, syntax, shape, allocated, allocated), stored, high, notes)
    stream = read_codestream(first_frame(dataset.PixelData))
    if stream is None:
        raise RefusedError("damaged: its pixel data cannot be read")
    if (stream.height, stream.width) != shape:
        raise RefusedError("damaged: its pixel data have another size than its header says")
    if stream.is_signed and header["PixelRepresentation"] != 1:
        raise RefusedError("signed values in the pixel data, unsigned ones in the header: export it uncompressed")
    if stream.components != 1:
        return Raw(_luminance(dataset, stream), 8, 7, ("three colours in the pixel data: luminance is used",))
    if stream.syntax == _EXTENDED and stream.bits not in (8, 12):  # GDCM writes 16, and decodes them to something
        raise RefusedError("damaged: its pixel data claim bits that a lossy JPEG cannot have")
    if _family(stream.syntax) != _family(syntax):
        syntax, notes = stream.syntax, (_OTHER_SYNTAX,)
    if stream.syntax == _EXTENDED and stream.bits > 8:
        # GDCM looks at the stream; pydicom does not let it read 12 bits with loss under their name.
        syntax = _LOSSLESS_SV1
    values = _as_array(dataset, syntax, shape, 8 if stream.bits <= 8 else 16, stream.bits)
    is_deeper = stream.bits > stored and high == stored - 1 and _exceeds(values, stream.bits, stored, header)
    if stream.bits < stored or is_deeper:
        notes = (*notes, f"{stream.bits}-bit image under a {stored}-bit header")
        return Raw(values, stream.bits, stream.bits - 1, notes)
    return Raw(values, stored, min(high, stream.bits - 1), notes)


def _count_frames(pixel_data: bytes, syntax: str, n_bytes: int) -> int:
    """Count the images in pixel data whose header tells of one, of `n_bytes` where they are not compressed."""
    from pydicom.encaps import generate_fragments, parse_basic_offsets

    if syntax in _NATIVE:
        return len(pixel_data) // max(n_bytes, 1)
    content = io.BytesIO(pixel_data)
    parse_basic_offsets(content)
    return sum(syntax == RLE or fragment.startswith(_STARTS) for fragment in generate_fragments(content))


def _family(syntax: str) -> str:
    """Return the first of the transfer syntaxes whose codestreams are of one kind."""
    return next((family[0] for family in _FAMILIES if syntax in family), syntax)


def _exceeds(values: npt.NDArray[Any], bits: int, stored: int, header: Mapping[str, Any]) -> bool:
    """Tell whether values of a codestream do not fit into the bits that the header says are stored."""
    offset = 2 ** (stored - 1) if header.get("PixelRepresentation") == 1 else 0
    return any(((values[rows].astype(np.int64) + offset) % 2**bits >= 2**stored).any() for rows in blocks_of(values))


def _as_array(dataset: Any, syntax: str, shape: tuple[int, int], allocated: int, stored: int) -> npt.NDArray[Any]:
    """Let pydicom decode; what GDCM decodes, in another process."""
    request = Request(syntax, shape, allocated, stored, dataset.PixelData, dataset["PixelData"].VR)
    return decode(request) if syntax in (*_NATIVE, _BASELINE) else decode_apart(request)


def _luminance(dataset: Any, stream: Codestream) -> npt.NDArray[np.uint8]:
    """Return the luminance of a JPEG of three components.

    Raises:
        RefusedError: If it is of another kind.
    """
    if stream.syntax not in (_BASELINE, _EXTENDED) or stream.components != 3 or stream.bits != 8:
        raise RefusedError("colour in the pixel data, of which the header knows nothing")
    with Image.open(io.BytesIO(first_frame(dataset.PixelData)), formats=("JPEG",)) as image:
        return np.asarray(image.convert("L"))
