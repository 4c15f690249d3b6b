"""A file as a storage lists it, and how its name is written."""

import re
import unicodedata
from collections.abc import Callable, Sequence
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

# The encoding that Python takes where an archive says nothing of its names.
UNSAID = "cp437"

# Of ten Chinese letters, six would be Hangul in a Korean encoding.
_LEAST_HANGUL = 4
_RUN = re.compile(r"[^\x00-\x7f]+")
# A foreign capital behind a small letter.
_NO_WORD = re.compile("[a-zß-ÿ][À-Þ]")
_LETTER_BESIDE = re.compile(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]")


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


def guess_encoding(names: Sequence[bytes], unsaid: str = UNSAID) -> str:
    """Return the encoding in which the names in an archive make sense; `unsaid` if none is known.

    >>> guess_encoding(["肺炎/图.png".encode("gbk")]), guess_encoding(["Röntgen.png".encode("cp437")])
    ('gbk', 'cp437')
    """
    foreign = [name for name in names if not name.isascii()]
    for encoding, makes_sense in _CANDIDATES:
        try:
            texts = [name.decode(encoding) for name in foreign]
        except UnicodeDecodeError:
            continue
        if makes_sense("\n".join(texts)):
            return encoding
    return unsaid


def _is_common_chinese(text: str) -> bool:
    """Tell whether most foreign letters are among the common ones of GB 2312."""
    letters = "".join(_RUN.findall(text))
    common = sum(bool(letter.encode("gb2312", "ignore")) for letter in letters)
    return common >= 0.8 * len(letters) and all(_is_east_asian(letter) for letter in letters)


def _are_words(of: Callable[[str], bool]) -> Callable[[str], bool]:
    """Tell whether foreign letters stand together, apart from Latin ones: single ones are accented Latin letters."""

    def check(text: str) -> bool:
        runs = _RUN.findall(text)
        return min(map(len, runs)) > 1 and not _LETTER_BESIDE.search(text) and all(map(of, "".join(runs)))

    return check


def _is_east_asian(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in ("W", "F") or unicodedata.category(letter)[0] in "PN"


def _is_korean(text: str) -> bool:
    """Tell whether all foreign letters are Hangul, so many that Chinese ones are unlikely to look like them."""
    letters = set("".join(_RUN.findall(text)))
    return len(letters) >= _LEAST_HANGUL and all("가" <= letter <= "힣" for letter in letters)


def _is_latin(text: str) -> bool:
    """Tell whether all foreign letters are Latin, none is a capital within a word, and each ß follows a vowel."""
    letters = "".join(_RUN.findall(text))
    is_known = all(unicodedata.name(letter, "").startswith("LATIN ") for letter in letters)
    return is_known and not _NO_WORD.search(text) and not re.search("(?<![aeiouäöüy])ß", text, re.IGNORECASE)


def _is_cyrillic(letter: str) -> bool:
    return "\u0400" <= letter <= "\u04ff"


_CANDIDATES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("utf-8", lambda text: True),
    ("euc_kr", _is_korean),
    ("gbk", _is_common_chinese),
    ("shift_jis", _are_words(_is_east_asian)),
    ("big5", _are_words(_is_east_asian)),
    ("cp1251", _are_words(_is_cyrillic)),
    ("cp866", _are_words(_is_cyrillic)),
    ("cp437", _is_latin),
    ("cp1252", _is_latin),
    ("cp850", _is_latin),
)
