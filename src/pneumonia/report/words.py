"""How documents say things: findings and their levels, numbers, intervals, pictures."""

import base64
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict

import pandas as pd

MOST_DIGITS = 6  # of a bound near zero
MOST_TELLING = 4  # digits of a number that is 10 or more, such as a likelihood ratio
NO_INTERVAL = "no interval"
CHANCE = 0.5  # AUC
MANY_OUTSIDE = 0.05  # share of images out of range above which the source itself is in doubt


class Level(StrEnum):
    """Whether a finding speaks for the result."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"


class Finding(TypedDict):
    """A point for or against a result."""

    level: Level
    title: str
    text: str


def finding(level: Level, title: str, text: str) -> Finding:
    """Return a finding in the form that documents and templates read."""
    return {"level": level, "title": title, "text": text}


def gravest_first(findings: list[Finding]) -> list[Finding]:
    """Put points against a result before points for it."""
    order = [Level.BAD, Level.CAUTION, Level.GOOD]
    return sorted(findings, key=lambda one: order.index(one["level"]))


def is_or_are(count: int) -> str:
    """Return the verb of so many things."""
    return "is" if count == 1 else "are"


def say_count(count: int, one: str, many: str | None = None) -> str:
    """Count things: in the singular or, without a plural of their own, with an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def say_percent(share: float | None, digits: int = 1) -> str:
    """Format a share as a percentage; a dash if undefined.

    What is neither none nor all does not read as 0% or 100%, if at most two more digits tell it.
    """
    if share is None or pd.isna(share):
        return "–"
    tried = range(digits, digits + 3) if 0 < share < 1 else ()
    digits = next((more for more in tried if float(f"{100 * share:.{more}f}") not in (0, 100)), digits)
    return f"{100 * share:z.{digits}f}%"


def say_number(value: Any, digits: int = 3) -> str:
    """Format a number with a fixed number of decimals, fewer from 10 on; a dash if undefined."""
    if value is None or pd.isna(value):
        return "–"
    if math.isfinite(value) and abs(value) >= 10:
        digits = min(digits, max(0, MOST_TELLING - len(str(int(abs(value))))))
    return f"{value:z,.{digits}f}"


def say_rate(value: Any, digits: int = 3) -> str:
    """Format a rate as a number; what is not always right does not read as 1."""
    while value is not None and 0 < value < 1 and digits < MOST_DIGITS and float(f"{value:.{digits}f}") == 1:
        digits += 1
    return say_number(value, digits)


def say_threshold(threshold: float) -> str:
    """Format a threshold that some images reach and some do not; 0, or what none can reach, as what it is."""
    if not 0 < threshold <= 1:
        return "0" if threshold == 0 else "more than 1"
    digits = next((more for more in range(3, MOST_DIGITS) if 0 < float(f"{threshold:.{more}f}") < 1), MOST_DIGITS)
    return say_number(threshold, digits)


def say_set_share(share: float) -> str:
    """Format a share that somebody set, as exactly as it was set."""
    return f"{100 * share:.6g}%"


def say_interval(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """Format the bounds of an estimate; words if there are none."""
    low, high = estimate["low"], estimate["high"]
    if low is None or pd.isna(low):
        return NO_INTERVAL
    if high is None or pd.isna(high):
        return f"at least {say_number(low, digits)}"
    # A bound beside zero must not read as zero, which the interval would then seem to include.
    excludes = low > 0 or high < 0
    low_digits, high_digits = (_digits_beside_zero(bound, digits) if excludes else digits for bound in (low, high))
    return f"{say_number(low, low_digits)} to {say_number(high, high_digits)}"


def say_bounds(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """Format the bounds of an estimate with what they are; words alone if there are none."""
    said = say_interval(estimate, digits)
    return said if said == NO_INTERVAL else f"95% interval {said}"


def _digits_beside_zero(bound: float, digits: int) -> int:
    """Return how many digits a bound takes not to read as zero; the given ones, if too many."""
    return next((more for more in range(digits, MOST_DIGITS + 1) if float(f"{bound:.{more}f}")), digits)


def png_uri(picture: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()
