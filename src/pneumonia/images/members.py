"""A file as a storage lists it."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

IMAGE_SUFFIXES = frozenset(
    [
        *(".jpeg", ".jpg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp"),
        *(".dcm", ".dicom", ".dic", ".ima"),
    ]
)

# The table of labels that a set of images has beside them.
LABELS_FILE = "labels.csv"

# Prefix of the stamps of a storage that lists checksums of the content.
CRC_STAMP = "crc32:"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a storage lists it.

    Attributes:
        name: Path below the storage's root, with ``/``, printable.
        key: The storage's own name for it.
        size: Size in bytes.
        stamp: Changes when the file is rewritten; empty if the storage cannot tell.
        problem: Why it must not be read; empty if it may.
    """

    name: str
    key: Any
    size: int = 0
    stamp: str = ""
    problem: str = ""


def printable(name: str) -> str:
    """Return a name that can be written as UTF-8 in one line."""
    text = name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def name_problem(name: str) -> str:
    """Say why a name cannot stand in a table that every machine reads alike."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "name that is not UTF-8"
    return "name with control characters" if _CONTROL.search(name) else ""


def composed(text: str) -> str:
    """Return a name in NFC: some systems store an umlaut as two characters, others as one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def stem(name: str) -> str:
    """Return a name without its suffix. The last number of a UID is none."""
    start, dot, suffix = name.rpartition(".")
    is_suffix = f".{suffix.lower()}" in IMAGE_SUFFIXES or (suffix.isalpha() and len(suffix) <= 5)
    return start if start and dot and is_suffix else name
