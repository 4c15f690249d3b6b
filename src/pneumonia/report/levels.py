"""What a finding is: a level, a title that claims no more than an interval allows, and the figures it rests on."""

from enum import StrEnum

Finding = dict[str, str]
CHANCE = 0.5  # AUC


class Level(StrEnum):
    """Whether a finding speaks for the result."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"


def finding(level: Level, title: str, text: str) -> Finding:
    """Put a finding as documents and templates read it."""
    return {"level": level, "title": title, "text": text}


def gravest_first(findings: list[Finding]) -> list[Finding]:
    """Put what speaks against a result before what speaks for it."""
    order = [Level.BAD, Level.CAUTION, Level.GOOD]
    return sorted(findings, key=lambda one: order.index(Level(one["level"])))
