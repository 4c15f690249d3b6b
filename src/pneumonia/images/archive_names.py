"""The names in an archive whose writer did not say how they are encoded."""

import re
import unicodedata
from collections.abc import Callable, Sequence

# What Python takes where an archive says nothing.
UNSAID = "cp437"

# Of ten Chinese letters, six would be Hangul in a Korean encoding.
_LEAST_HANGUL = 4
_RUN = re.compile(r"[^\x00-\x7f]+")
# A foreign capital behind a small letter.
_NO_WORD = re.compile("[a-zß-ÿ][À-Þ]")
_LETTER_BESIDE = re.compile(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]")


def guess_encoding(names: Sequence[bytes], unsaid: str = UNSAID) -> str:
    """Return the encoding in which names of one archive make sense; `unsaid` if none is known.

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
