"""How documents say things: findings and their levels, numbers, intervals, pictures."""

import base64
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypedDict

import pandas as pd

MOST_DIGITS = 9  # of a number near 0 or 1; what is nearer differs by the rounding of computations
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

    What is neither none nor all does not read as 0% or 100%.
    """
    if share is None or pd.isna(share):
        return "–"
    tried = range(digits, MOST_DIGITS - 1) if 0 < share < 1 else ()
    digits = next((more for more in tried if float(f"{100 * share:.{more}f}") not in (0, 100)), digits)
    return f"{100 * share:z.{digits}f}%"


def say_share_beside(share: float, threshold: float) -> str:
    """Format a share with one decimal, or as many as it takes not to read as what lies on the threshold's other side.

    0.4997 is below a threshold of 0.5, and does not read as 50.0%.
    """
    return say_percent(share, _digits_like(share, 3, lambda number: number >= threshold) - 2)


def say_beside_chance(auc: Mapping[str, Any]) -> str:
    """Format the bounds of an AUC so that none reads as 0.5, or beyond, that is not: as many decimals as it takes."""
    sides = (lambda number: number > CHANCE, lambda number: number < CHANCE)
    bounds = zip((auc["low"], auc["high"]), sides, strict=True)
    return " to ".join(say_number(bound, _digits_like(bound, 3, side)) for bound, side in bounds)


def _digits_like(value: float, digits: int, side: Callable[[float], bool]) -> int:
    """Return so many decimals, or as many as the number takes to read as what lies on its own side."""
    tried = range(digits, MOST_DIGITS + 1)
    return next((more for more in tried if side(float(f"{value:.{more}f}")) is side(value)), digits)


def say_number(value: Any, digits: int = 3) -> str:
    """Format a number with a fixed number of decimals, fewer from 10 on; a dash if undefined.

    What is not 0, 1 or -1 takes as many more decimals as it needs not to read as one of them: an AUC of 1.000 ranks
    every pair rightly, and a bound of 0.000 includes zero. Without decimals, it is rounded: a count.
    """
    if value is None or pd.isna(value):
        return "–"
    if math.isfinite(value) and abs(value) >= 10:
        digits = min(digits, max(0, MOST_TELLING - len(str(int(abs(value))))))
    tried = range(digits, MOST_DIGITS + 1) if digits else ()
    return f"{value:z,.{next((more for more in tried if _reads_rightly(value, more)), digits)}f}"


def _reads_rightly(value: float, digits: int) -> bool:
    read = abs(float(f"{value:.{digits}f}"))
    return read not in (0, 1) or read == abs(value)


def say_threshold(threshold: float) -> str:
    """Format a threshold; 0, or what no probability can reach, as what it is."""
    if not 0 < threshold <= 1:
        return "0" if threshold == 0 else "more than 1"
    return say_number(threshold)


def say_set_share(share: float) -> str:
    """Format a share that somebody set, as exactly as it was set."""
    return f"{100 * share:.6g}%"


def say_interval(estimate: Mapping[str, Any], digits: int = 3, say: Callable[[Any, int], str] = say_number) -> str:
    """Format the bounds of an estimate, each by `say`; words if there are none."""
    low, high = estimate["low"], estimate["high"]
    if low is None or pd.isna(low):
        return NO_INTERVAL
    if high is None or pd.isna(high):
        return f"at least {say(low, digits)}"
    return f"{say(low, digits)} to {say(high, digits)}"


def say_estimate(estimate: Mapping[str, Any], value: str = "value", kind: str = "") -> str:
    """Format a value, called so in the estimate, with its bounds and of what kind these are, such as paired.

    >>> say_estimate({"auc": 0.95, "low": 0.9, "high": 0.98}, "auc", "paired")
    '0.950 (0.900 to 0.980, paired)'
    """
    return f"{say_number(estimate[value])} ({say_interval(estimate)}{f', {kind}' if kind else ''})"


def say_bounds(estimate: Mapping[str, Any], digits: int = 3, say: Callable[[Any, int], str] = say_number) -> str:
    """Format the bounds of an estimate with what they are; words alone if there are none."""
    said = say_interval(estimate, digits, say)
    return said if said == NO_INTERVAL else f"95% interval {said}"


def say_share_interval(estimate: Mapping[str, Any], digits: int = 1) -> str:
    """Format the bounds of a share as percentages; words if there are none."""
    return say_interval(estimate, digits, say_percent)


def say_share_bounds(estimate: Mapping[str, Any], digits: int = 1) -> str:
    """Format the bounds of a share with what they are; words alone if there are none."""
    return say_bounds(estimate, digits, say_percent)


def say_command(run: Mapping[str, Any], options: str) -> str:
    """Return a command as the run was started, in its environment.

    Args:
        run: Its `command` and `environment`.
        options: What to run, such as --pipelines=external.
    """
    installed = "python -m pneumonia"
    start = installed if run["command"].startswith(installed) else "kedro run"
    return f"{start} {options}" + ("" if run["environment"] == "local" else f" --env={run['environment']}")


def png_uri(picture: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()
