"""A finding: a level, a title that claims no more than an interval allows, and the figures behind it."""

from enum import StrEnum

Finding = dict[str, str]
CHANCE = 0.5  # AUC
MANY_OUTSIDE = 0.05  # share of images out of range above which the source itself is in doubt


class Level(StrEnum):
    """Whether a finding speaks for the result."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"


def finding(level: Level, title: str, text: str) -> Finding:
    """Return a finding in the form that documents and templates read."""
    return {"level": level, "title": title, "text": text}


def gravest_first(findings: list[Finding]) -> list[Finding]:
    """Put points against a result before points for it."""
    order = [Level.BAD, Level.CAUTION, Level.GOOD]
    return sorted(findings, key=lambda one: order.index(Level(one["level"])))
