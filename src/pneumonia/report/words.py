"""How documents say things: findings and their levels, numbers, intervals, pictures."""

import base64
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pandas as pd

Finding = dict[str, str]
MOST_DIGITS = 6  # of a bound near zero
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


def say_percent(share: float | None, digits: int = 1) -> str:
    """Format a share as a percentage; a dash if undefined."""
    return "–" if share is None or pd.isna(share) else f"{100 * share:z.{digits}f}%"


def say_number(value: Any, digits: int = 3) -> str:
    """Format a number with a fixed number of digits; a dash if undefined."""
    return "–" if value is None or pd.isna(value) else f"{value:z.{digits}f}"


def say_interval(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """Format the bounds of an estimate; words if there are none."""
    if estimate["low"] is None or pd.isna(estimate["low"]):
        return "no interval"
    if estimate["high"] is None or pd.isna(estimate["high"]):
        return f"at least {estimate['low']:z.{digits}f}"
    # A bound beside zero must not read as zero, which the interval would then seem to include.
    excludes = estimate["low"] > 0 or estimate["high"] < 0
    nearest = min(abs(estimate["low"]), abs(estimate["high"]))
    while excludes and digits < MOST_DIGITS and float(f"{nearest:.{digits}f}") == 0:
        digits += 1
    return f"{estimate['low']:z.{digits}f} to {estimate['high']:z.{digits}f}"


def png_uri(picture: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()
