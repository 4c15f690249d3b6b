"""How a DICOM file begins: whether it is one, and what its beginning lacks."""

import zlib

from pneumonia.images.status import CUT, RefusedError

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
