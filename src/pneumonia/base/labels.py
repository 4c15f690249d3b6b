"""Keys of tables and records that have a label: the words that people read in their place."""

from enum import StrEnum
from typing import Self


class Labelled(StrEnum):
    """A key with its label, such as ``TEST = "test", "test images"``; its value is the key alone."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """Keep the label beside the value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member
