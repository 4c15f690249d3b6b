"""Text in tables: keys with the labels that people read in their place, and what a spreadsheet would compute."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

# Users choose the names of files and groups. These first characters make Excel, LibreOffice and Google Sheets compute a
# cell (OWASP, "CSV injection"); the last is the apostrophe that prevents it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")


class Labelled(StrEnum):
    """A key with its label, such as ``TEST = "test", "test images"``; its value is the key alone."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """Keep the label beside the value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member


# Small letters of which capitals keep less: Turkish without a dot, Greek at the end of a word and with accents.
_FOLDED = str.maketrans("ıςάέήίόύώϊϋΐΰ", "iσαεηιουωιυιυ")


def fold(text: str) -> str:
    """Return a text in small letters that do not tell whether it was written in capitals.

    >>> fold("Kız") == fold("KIZ"), fold("έτος") == fold("ΕΤΟΣ"), fold("Größe")
    (True, True, 'grösse')
    """
    return text.casefold().translate(_FOLDED)


def disarm(text: str) -> str:
    """Put an apostrophe before text that begins as a formula does, or with an apostrophe itself."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def name_some(names: Sequence[str], most: int = 20, letters: int = 60) -> str:
    """Return names for a message, however many and long they are; "none" without any.

    >>> name_some(["path", "label"]), name_some(["a", "b", "c"], most=2), name_some([])
    ('path, label', 'a, b and 1 more', 'none')
    """
    shown = [name if len(name) <= letters else f"{name[:letters]}..." for name in names[:most]]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(shown)}{more}" or "none"
