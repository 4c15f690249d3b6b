"""Estimates of every metric with a 95% interval over groups, and how many images an interval of a wished width takes.

Images of one group (one child, as far as file names tell) resemble each other, so groups count, not images:

* sensitivity, specificity and other rates, and the Brier score: `bounds.estimate_rate`;
* what follows from the two, like balanced accuracy or predictive values: from their intervals (`bounds.mover`), at the
  shares of the classes that were seen. One perfect rate then does not hide how uncertain it is;
* AUC: `auc.estimate_auc`;
* average precision: by bootstrap over groups, on the logit scale; one of 1 has the bound it would have if the share of
  negatives that the AUC's bound allows were ranked first;
* calibration error: the 2.5th and the 97.5th percentile of the resamples, stretched to hold the value. It is no smooth
  function near 0; like the value itself its interval tends to be too high;
* calibration in the large, slope, observed over expected: `logistic`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.metrics.auc import estimate_auc
from pneumonia.metrics.bounds import TAIL, UNDEFINED, Z, difference, estimate_rate, exact_bound, logit_interval, mover
from pneumonia.metrics.groups import bootstrap, correlation, group_sums, rate_deviation
from pneumonia.metrics.metrics import confusion_cells, confusion_rates
from pneumonia.metrics.registry import METRICS, Cells, Estimate, Metric, Targets

Columns = Mapping[str, npt.NDArray]


def estimate_metrics(columns: Columns, prevalence: float, n_resamples: int, seed: int) -> dict[str, Estimate]:
    """Estimate every metric with its 95% interval.

    Args:
        columns: `target`, `decision`, `probability` and `group`, `[n]` each.
        prevalence: The share of the positive class for which predictive values are also given.
        n_resamples: How many resamples of the groups to draw.
        seed: Seed of the draws.

    Returns:
        `{"value", "low", "high"}` for each metric. `value` is None where the metric is 0 / 0 or infinite; the bounds
        are None where a class has fewer than two groups, and where the metric has no end on that side.
    """
    target, groups = columns["target"], columns["group"]
    rates = estimate_both_rates(target, columns["decision"], groups)
    positive_share = float(np.mean(target))
    found: dict[str, Estimate] = {}
    for name, entry in METRICS.items():
        if entry.of == "decision":
            found[name] = estimate_decisions(entry, rates, positive_share, prevalence)
        elif entry.interval == "auc":
            found[name] = estimate_auc(target, columns[entry.of], groups)
        elif entry.interval == "squares":
            found[name] = estimate_rate((columns[entry.of] - target) ** 2, groups)
        elif entry.interval == "own":
            found[name] = entry.function(target, columns[entry.of], groups)
        else:
            found[name] = _bootstrapped(name, entry, columns, n_resamples, seed)
    for name, values in confusion_rates(confusion_cells(target, columns["decision"]), prevalence).items():
        found[name]["value"] = float(values[0]) if np.isfinite(values[0]) else None
    if min(len(np.unique(groups[target == one])) for one in (0, 1)) < 2:
        return {name: {**UNDEFINED, "value": estimate["value"]} for name, estimate in found.items()}
    return found


def rate_difference(first: npt.NDArray, second: npt.NDArray, groups: npt.NDArray) -> Estimate:
    """Estimate how much larger the share of `first` is than that of `second`, for the same images: a paired interval.

    Made from the intervals of both (`bounds.difference`) and their correlation over groups. Where no image differs, a
    new group may: the bounds are those of a share of which none of so many groups is one. With 28 groups, 0.123.
    """
    if np.array_equal(first, second):
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            return {**UNDEFINED, "value": 0.0 if n_groups else None}
        most = 1 - exact_bound(n_groups)
        return {"value": 0.0, "low": -most, "high": most}
    sums = [group_sums(rate - np.mean(rate), groups) for rate in (np.asarray(one, float) for one in (first, second))]
    return difference(estimate_rate(first, groups), estimate_rate(second, groups), correlation(*sums))


def estimate_both_rates(target: Targets, decision: Targets, groups: npt.NDArray) -> tuple[list[Estimate], float]:
    """Estimate sensitivity and specificity, with the correlation of their errors (0 if no group has both classes)."""
    right, rates, sums = decision == target, [], []
    for one in (1, 0):
        members = target == one
        rates.append(estimate_rate(right[members], groups[members]))
        sums.append(group_sums(np.where(members, right - np.mean(right[members]), 0.0), groups))
    return rates, correlation(*sums)


def rates_function(
    function: Callable[[Cells], Floats], positive_share: float, prevalence: float
) -> Callable[[Floats], Floats]:
    """Turn a metric of the confusion matrix into a function of (sensitivity, specificity), `[b, 2]`, to `[b]`."""

    def of_rates(rates: Floats) -> Floats:
        sensitivity, specificity = rates.T
        cells = Cells(
            tn=(1 - positive_share) * specificity,
            fp=(1 - positive_share) * (1 - specificity),
            fn=positive_share * (1 - sensitivity),
            tp=positive_share * sensitivity,
            prevalence=prevalence,
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return function(cells)

    return of_rates


def estimate_decisions(
    entry: Metric, rates: tuple[list[Estimate], float], positive_share: float, prevalence: float
) -> Estimate:
    """Estimate a metric of the confusion matrix from sensitivity and specificity, at a share of positives.

    Args:
        entry: A metric of decisions.
        rates: What `estimate_both_rates` gives.
        positive_share: Share of the positive class among the images.
        prevalence: The share of it for which predictive values are also given.
    """
    both, correlated = rates
    function = rates_function(entry.function, positive_share, prevalence)
    if entry.interval == "mover":
        return mover(function, both, correlated)
    shares = mover(lambda pairs: _odds_to_share(function(pairs)), both, correlated)
    value, low, high = (_share_to_odds(share) for share in (shares["value"], shares["low"], shares["high"]))
    return {"value": value, "low": low, "high": high}


def _odds_to_share(odds: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(odds), 1.0, odds / (1 + odds))


def _share_to_odds(share: float | None) -> float | None:
    return None if share is None or share >= 1 else share / (1 - share)


def _bootstrapped(name: str, entry: Metric, columns: Columns, n_resamples: int, seed: int) -> Estimate:
    """Return a metric of scores with its interval from resamples of the groups."""
    target, scores, groups = columns["target"], columns[entry.of], columns["group"]

    def statistic(weights: Floats) -> dict[str, Floats]:
        return {name: entry.function(target, scores, weights)}

    value = float(statistic(np.ones((1, len(target))))[name][0])
    replicates = bootstrap(statistic, groups, n_resamples, seed)[name]
    if entry.interval == "percentile":
        low, high = (float(bound) for bound in np.nanquantile(replicates, [TAIL, 1 - TAIL]))
        return {"value": value, "low": min(value, low), "high": max(value, high)}
    if value == 1:
        return {"value": value, "low": _least_precision(target, groups), "high": 1.0}
    low, high = logit_interval(value, float(np.nanstd(replicates, ddof=1)))
    return {"value": value, "low": low, "high": high}


def _least_precision(target: Targets, groups: npt.NDArray) -> float:
    """Return the lower bound of an average precision of 1, by the rule of this module."""
    fewest = min(len(np.unique(groups[target == one])) for one in (0, 1))
    odds = (1 - exact_bound(fewest)) * np.mean(target == 0) / np.mean(target == 1)
    return float(1 - odds * np.log((1 + odds) / odds))


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
