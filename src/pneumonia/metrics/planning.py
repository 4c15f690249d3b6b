"""How many labelled images an interval of a wished width takes, where images of one group resemble each other."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.metrics.bounds import TAIL, Z
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

    As many as the interval of `metrics.bounds.estimate_rate` takes, at the rate `p` and the design effect: the variance
    of the rate over groups as a multiple of that of as many independent images, at least 1 (Kish, Survey Sampling,
    1965). Rates near 0 or 1 are drawn towards a half by two images right and two wrong (Agresti and Coull, Am. Stat.
    52, 1998), so that a perfect one does not promise that a handful suffices.

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
            images = images_for(shrunk, width, effect, n_groups / n)
            further = max(0, images - n)
            row: dict[str, Any] = {"rate": rate, "value": float(right.mean()), "n": n, "n_groups": n_groups}
            row |= {"design_effect": effect, "width": width, "images": images, "further_images": further}
            rows.append({**row, "further_groups": int(np.ceil(further * n_groups / n))})
    return pd.DataFrame(rows)


def images_for(rate: float, width: float, effect: float = 1.0, groups_per_image: float = 1.0) -> int:
    """Return how many images a rate takes, for an interval of a width as `metrics.bounds.estimate_rate` makes it.

    Of 0.95 and 0.1, 97: at 92 of 97, each a group of its own, the interval is 0.884 to 0.983.

    Args:
        rate: Between 0 and 1, exclusive.
        width: Of the 95% interval.
        effect: The design effect.
        groups_per_image: Groups, as a share of the images.
    """
    from scipy.optimize import brentq
    from scipy.stats import beta
    from scipy.stats import t as student

    def excess(images: float) -> float:
        quantile = student.ppf(1 - TAIL, images * groups_per_image - 1)
        effective = images / effect * (Z / quantile) ** 2
        right, wrong = effective * rate, effective * (1 - rate)
        return float(beta.ppf(1 - TAIL, right + 1, wrong) - beta.ppf(TAIL, right, wrong + 1) - width)

    least = 2 / groups_per_image  # two groups
    if excess(least) <= 0:
        return math.ceil(least)
    most = 2 * least
    while excess(most) > 0:
        most *= 2
    return math.ceil(brentq(excess, least, most))


def design_effect(right: npt.NDArray, groups: npt.NDArray) -> float:
    """Return how many times as many images a rate takes as if each were a group of its own; 1 with one group."""
    rate = float(np.mean(right))
    independent = rate * (1 - rate) / len(right)
    if independent == 0 or len(np.unique(groups)) < 2:
        return 1.0
    return float(rate_deviation(right.astype(float), groups) ** 2 / independent)
