"""How many labelled images an interval of a wished width takes, where images of one group resemble each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.metrics.bounds import Z
from pneumonia.metrics.groups import rate_deviation
from pneumonia.metrics.registry import Targets

WIDTHS = (0.2, 0.15, 0.1, 0.05)


def plan_test(predictions: pd.DataFrame) -> pd.DataFrame:
    """Say how many images of each class a test at the place of these takes, for intervals of some widths."""
    return plan_images(*(predictions[name].to_numpy() for name in ("target", "decision", "group")))


def plan_images(
    target: Targets, decision: Targets, groups: npt.NDArray, widths: Sequence[float] = WIDTHS
) -> pd.DataFrame:
    """Plan a test like this one: images and groups of each class for intervals of some widths.

    `n = d p (1 - p) (2 z / w)^2` for a rate `p`, a width `w` and the design effect `d`: the variance of the rate over
    groups as a multiple of that of as many independent images, at least 1 (Kish, Survey Sampling, 1965). Rates near 0
    or 1 are drawn towards a half by two images right and two wrong (Agresti and Coull, Am. Stat. 52, 1998), so that a
    perfect one does not promise that a handful suffices.

    Args:
        target: True class, 0 or 1, `[n]`.
        decision: 1: positive, `[n]`.
        groups: Group of each image, `[n]`.
        widths: Of the 95% intervals.

    Returns:
        rate (sensitivity, specificity), value, n, n_groups, design_effect, width, images, further_images and
        further_groups: one row per rate and width.
    """
    rows = []
    for rate, one in (("sensitivity", 1), ("specificity", 0)):
        members = target == one
        right, names = (decision == target)[members], groups[members]
        n, n_groups = len(right), len(np.unique(names))
        shrunk = (right.sum() + 2) / (n + 4)
        effect = design_effect(right, names)
        for width in widths:
            images = int(np.ceil(effect * shrunk * (1 - shrunk) * (2 * Z / width) ** 2))
            further = max(0, images - n)
            row: dict[str, Any] = {"rate": rate, "value": float(right.mean()), "n": n, "n_groups": n_groups}
            row |= {"design_effect": effect, "width": width, "images": images, "further_images": further}
            rows.append({**row, "further_groups": int(np.ceil(further * n_groups / n))})
    return pd.DataFrame(rows)


def design_effect(right: npt.NDArray, groups: npt.NDArray) -> float:
    """Return how many times as many images a rate takes as if each were a group of its own; 1 with one group."""
    rate = float(np.mean(right))
    independent = rate * (1 - rate) / len(right)
    if independent == 0 or len(np.unique(groups)) < 2:
        return 1.0
    return float(rate_deviation(right.astype(float), groups) ** 2 / independent)
