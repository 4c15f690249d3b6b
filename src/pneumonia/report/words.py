"""Numbers, intervals and pictures as documents show them."""

import base64
from collections.abc import Mapping
from typing import Any

import pandas as pd


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
    return f"{estimate['low']:z.{digits}f} to {estimate['high']:z.{digits}f}"


def png_uri(picture: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()
