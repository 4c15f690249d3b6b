"""Text in tables: keys with the labels that people read in their place, and what a spreadsheet would compute."""

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


def disarm(text: str) -> str:
    """Put an apostrophe before text that begins as a formula does, or with an apostrophe itself."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
