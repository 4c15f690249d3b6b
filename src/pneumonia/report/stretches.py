"""What the report says about the order of the images: only what holds for all stretches together."""

from typing import Any

import pandas as pd

from pneumonia.audits.stretches import Measure
from pneumonia.report.words import MOST_DIGITS, Finding, Level, finding, say_number

UNUSUAL = 0.05  # p, for all stretches together


def judge_stretches(stretch_audit: pd.DataFrame) -> Finding | None:
    """Judge whether errors lie together in the order of the numbers in file names.

    Args:
        stretch_audit: The table of `audits.stretches.find_stretches`.

    Returns:
        None if the names have no order, or nothing is wrong.
    """
    errors = stretch_audit[stretch_audit["measure"] == Measure.ERRORS].sort_values("p", kind="stable")
    if errors.empty:
        return None
    text = say_stretch(errors.iloc[0].to_dict())
    if errors["p"].iloc[0] < UNUSUAL:
        text += " Images with near numbers were often acquired together: the acquisition may have changed there."
        return finding(Level.CAUTION, "Errors lie together in a stretch of consecutive numbers", text)
    return finding(Level.GOOD, "No stretch of consecutive numbers is shown to have more errors", text)


def say_stretch(row: dict[str, Any]) -> str:
    """Put a row of the audit in a sentence."""
    measure, digits = Measure(row["measure"]).label, 3
    while digits < MOST_DIGITS and f"{row['value']:.{digits}f}" == f"{row['overall']:.{digits}f}":
        digits += 1
    return (
        f"Of {row['stretches']:,} stretches of test groups, the one from {row['first']} to {row['last']} "
        f"({row['label']}, {row['images']:,} images of {row['groups']:,} groups) stands out most: {measure} "
        f"{say_number(row['value'], digits)}, of all {row['label']} {say_number(row['overall'], digits)}; "
        f"p = {say_number(row['p'])} for all stretches together, by exchanging groups within their class."
    )
