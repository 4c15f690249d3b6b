"""The header of a DICOM file: whether there is one, and the values that are read, as plain text and numbers by keyword.

Values are read whatever is wrong with them, and as their bytes: pydicom's own conversion fails at empty or unusual
ones, and decodes body part and view position, which many devices write in the language of their users, as if they were
Latin-1.
"""

import re
import zlib
from typing import Any

import numpy as np

from pneumonia.images.status import CUT, RefusedError

TEXTS = (
    "Modality", "SOPClassUID", "PresentationIntentType", "BurnedInAnnotation", "BodyPartExamined", "ViewPosition",
    "PatientOrientation", "SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "PatientID",
    "PatientAge", "PatientSex", "Manufacturer", "ManufacturerModelName", "PhotometricInterpretation", "VOILUTFunction",
    "PresentationLUTShape",
)  # fmt: skip
DECIMALS = (
    "NumberOfFrames", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "PixelAspectRatio",
    "PixelSpacing", "ImagerPixelSpacing",
)  # fmt: skip
INTEGERS = (
    "SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip
CODES = ("ViewCodeSequence", "AnatomicRegionSequence")
TABLES = ("ModalityLUTSequence", "VOILUTSequence")
TAGS = (*TEXTS, *DECIMALS, *INTEGERS, *CODES, *TABLES, "SpecificCharacterSet", "PlanarConfiguration", "PixelData")

_SIGNED = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_ESCAPE = 0x1B

# The data set itself is compressed; pydicom would unpack it without a limit.
_DEFLATED, _INFLATED = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"
_MOST_INFLATED_BYTES = 200_000_000
# Bytes at the beginning of a file that contain the transfer syntax.
_META_BYTES = 65_536
_PREFIX, _PREAMBLE_BYTES = b"DICM", 128
_WHOLE = _PREAMBLE_BYTES + len(_PREFIX)
# How compressed pixel data begin, each of their parts, and their end.
_ENCAPSULATED = (b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff", b"\xe0\x7f\x10\x00OW\0\0\xff\xff\xff\xff")
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
# The first value of a data set without meta information is a length, a character set, a type, a date or a class.
_MOST_FIRST_BYTES = 128
_REPRESENTATIONS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split())


def read_header(dataset: Any) -> dict[str, Any]:
    """Return the values that are there, by keyword.

    Texts and decimals are text; empty ones are "". Integers are whole numbers; empty ones are None. Sequences of codes
    are lists of code and meaning. `PixelData` is whether there are any.
    """
    header: dict[str, Any] = {}
    for name in (*TEXTS, *DECIMALS):
        if name in dataset:
            header[name] = _text(dataset, name)
    for name in DECIMALS:
        if name in header:
            header[name] = [part.strip().replace(",", ".") for part in header[name].split("\\")]
    for name in INTEGERS:
        if name in dataset:
            header[name] = _integer(dataset, name, is_signed=name in _SIGNED and header["PixelRepresentation"] == 1)
        elif name == "PixelRepresentation":
            header[name] = 0
    for name in CODES:
        header[name] = [
            (_text(item, "CodeValue") or _text(item, "LongCodeValue"), _text(item, "CodeMeaning"))
            for item in dataset.get(name) or ()
        ]
    header["NumberOfFrames"] = _count(header.get("NumberOfFrames", ["1"])[0])
    header["PixelData"] = "PixelData" in dataset and bool(_bytes(dataset, "PixelData"))
    return header


def read_tables(dataset: Any) -> dict[str, tuple[int, Any, int]]:
    """Return the lookup tables that are there, by keyword: first value, entries, bits that they claim.

    One without entries is none.

    Raises:
        ValueError: If one has fewer entries than it says.
    """
    items = {name: dataset[name].value[0] for name in TABLES if dataset.get(name)}
    return {name: _read_table(dataset, item) for name, item in items.items() if _bytes(item, "LUTData")}


def has_empty_table(dataset: Any) -> bool:
    """Tell whether there is a lookup table without entries."""
    return any(dataset.get(name) and not _bytes(dataset[name].value[0], "LUTData") for name in TABLES)


def _read_table(dataset: Any, item: Any) -> tuple[int, Any, int]:
    order = _order(dataset)
    count, first, bits = _words(item, "LUTDescriptor", order)
    count = count or 2**16
    data = _bytes(item, "LUTData")
    if isinstance(data, bytes) and count <= len(data) < 2 * count:
        entries = np.frombuffer(data[:count], np.uint8)
    else:
        entries = np.array(_words(item, "LUTData", order)[:count], np.uint16)
    if len(entries) < count:
        raise ValueError("the lookup table is shorter than it says")
    # Whether the first value is signed is often not told: it is if the values that are looked up may be negative.
    falls = any(str(dataset.get(name) or "").startswith("-") for name in ("RescaleSlope", "RescaleIntercept"))
    is_signed = falls or dataset.get("PixelRepresentation") == 1 or item["LUTDescriptor"].VR == "SS"
    return (first - 2**16 if is_signed and first >= 2**15 else first), entries, bits if 1 <= bits <= 16 else 16


def _words(item: Any, name: str, order: str) -> list[int]:
    """Return a value of 16-bit numbers, read from its bytes or already converted."""
    value = _bytes(item, name)
    if isinstance(value, bytes):
        return np.frombuffer(value[: len(value) // 2 * 2], f"{order}u2").tolist()
    return [int(number) % 2**16 for number in (value if hasattr(value, "__iter__") else [value])]


def _order(dataset: Any) -> str:
    return "<" if dataset.original_encoding[1] in (True, None) else ">"


def _integer(dataset: Any, name: str, *, is_signed: bool) -> int | None:
    """Return a whole number; None if there is none."""
    value = _bytes(dataset, name)
    if isinstance(value, bytes):
        if not value:
            return None
        if value.strip(b" \0").isdigit() and len(value) != 2:
            return int(value.strip(b" \0"))
        return int.from_bytes(value[:2], "little" if _order(dataset) == "<" else "big", signed=is_signed)
    return None if value is None else int(value)


def _count(text: str) -> int:
    return int(float(text)) if re.fullmatch(r"\+?\d{1,9}(?:\.0*)?", text) else 1


def _bytes(dataset: Any, name: str) -> Any:
    """Return the bytes of a value, or what pydicom has made of them."""
    if name not in dataset:
        return b""
    value = dataset.get_item(name).value
    return b"" if value is None else value


def _text(dataset: Any, name: str) -> str:
    """Return a value as text; "" if there is none."""
    value = _bytes(dataset, name)
    if isinstance(value, bytes | bytearray):
        return _decode(bytes(value), dataset).strip(" \0\t\r\n")
    parts = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    return "\\".join(map(str, parts)).strip()


def _decode(value: bytes, dataset: Any) -> str:
    """Decode a text: ASCII, UTF-8, or else in the character set that the header names."""
    from pydicom import charset

    if _ESCAPE not in value:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            pass
    named = getattr(dataset, "SpecificCharacterSet", None) or getattr(dataset.parent, "SpecificCharacterSet", None)
    encodings = charset.convert_encodings(named)
    if set(encodings) <= {charset.default_encoding} and _ESCAPE not in value:
        encodings = ["cp1252"]
    return charset.decode_bytes(value, encodings, set())


def is_dicom(data: bytes) -> bool:
    """Tell whether a file is DICOM, with or without its preamble and its meta information, by its content."""
    return _start_of_meta(data) is not None or _begins_a_data_set(data)


def readable(data: bytes) -> bytes:
    """Return a file, or its beginning, with the preamble and prefix that it should have, and not deflated.

    Raises:
        RefusedError: If it is deflated, and larger than any radiograph or without the length of its meta information.
        zlib.error: If it is deflated and damaged.
    """
    start = _start_of_meta(data)
    if start is None:
        return data
    whole = data if start == _WHOLE else bytes(_PREAMBLE_BYTES) + _PREFIX + data[start:]
    if _DEFLATED not in whole[:_META_BYTES]:
        return whole
    first = whole[_WHOLE : _WHOLE + 12]  # its element (0002,0000) holds the length of the meta information
    end = _WHOLE + len(first) + int.from_bytes(first[8:], "little") if first.startswith(b"\2\0\0\0UL") else 0
    if not end:
        raise RefusedError("deflated, without the length of its meta information: export it uncompressed")
    meta = whole[:end]
    if _DEFLATED not in meta:
        return whole
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    content = unpacker.decompress(whole[end:], _MOST_INFLATED_BYTES)
    if unpacker.unconsumed_tail:
        raise RefusedError(f"deflated, and more than {_MOST_INFLATED_BYTES:,} bytes")
    return meta.replace(_DEFLATED, _INFLATED) + content


def with_delimiter(data: bytes) -> bytes:
    """Return a file with the delimiter that should end its compressed pixel data; nothing, if it has none of these.

    Raises:
        RefusedError: If it ends within the pixel data.
    """
    at = max(data.rfind(start) for start in _ENCAPSULATED) + len(_ENCAPSULATED[0])
    if at < len(_ENCAPSULATED[0]):
        return b""
    while data[at : at + 4] == _ITEM and at + 8 <= len(data):
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    if at != len(data):
        raise RefusedError(CUT)
    return data + _DELIMITER


def _start_of_meta(data: bytes) -> int | None:
    """Return where the meta information begins, behind preamble and prefix or where these should be."""
    if data[_PREAMBLE_BYTES:_WHOLE] == _PREFIX:
        return _WHOLE
    places = (0, *((len(_PREFIX),) if data.startswith(_PREFIX) else ()), _PREAMBLE_BYTES)
    return next((at for at in places if data[at : at + 2] == b"\2\0" and _is_explicit(data, at)), None)


def _begins_a_data_set(data: bytes) -> bool:
    """Tell whether a file begins with a data set without meta information: with an element of group 8."""
    if data[:2] == b"\0\x08" or (data[:2] == b"\x08\0" and _is_explicit(data, 0)):
        return _is_explicit(data, 0)
    return data[:2] == b"\x08\0" and data[3:4] == b"\0" and int.from_bytes(data[4:8], "little") <= _MOST_FIRST_BYTES


def _is_explicit(data: bytes, at: int) -> bool:
    return data[at + 4 : at + 6] in _REPRESENTATIONS and 0 in data[at + 2 : at + 4]
