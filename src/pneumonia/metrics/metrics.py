"""Metrics of a two-class prediction. Each is registered in one place: by the decorator above its formula.

A metric of the decisions is a function of the confusion matrix; one of the scores, a function of the true classes, the
scores and a matrix of weights `[n_resamples, n_images]`: ones give the metric itself, the counts of a bootstrap
resample give its replicate. So the value and its interval come from the same lines. Where a metric is 0 / 0 it is NaN
here and a gap in every record. The decorator's `interval` names how the interval is made (`metrics/intervals.py`).
"""

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats
from pneumonia.metrics.logistic import mean_shift, observed_over_expected, recalibration_slope
from pneumonia.metrics.registry import METRICS, Cells, Estimate, Targets, metric

ECE_BINS = 10


@metric("auc", "AUC (area under the ROC curve)", of="probability", interval="auc")
def auc(target: Targets, probability: Floats, weights: Floats) -> Floats:
    """Compute the area under the ROC curve: the share of pairs in order, ties for half."""
    return ranking_metrics(target, probability, weights)["auc"]


@metric("average_precision", "Average precision", of="probability", interval="logit")
def average_precision(target: Targets, probability: Floats, weights: Floats) -> Floats:
    """Compute the precision, averaged over the positives."""
    return ranking_metrics(target, probability, weights)["average_precision"]


@metric("accuracy", "Accuracy", of="decision", interval="mover")
def accuracy(cells: Cells) -> Floats:
    """Compute the share of right decisions."""
    return (cells.tp + cells.tn) / (cells.tp + cells.tn + cells.fp + cells.fn)


@metric("balanced_accuracy", "Balanced accuracy", of="decision", interval="mover")
def balanced_accuracy(cells: Cells) -> Floats:
    """Compute the mean of sensitivity and specificity."""
    return (cells.sensitivity + cells.specificity) / 2


@metric("precision", "Precision (PPV)", of="decision", interval="mover")
def precision(cells: Cells) -> Floats:
    """Compute the share of those called positive that are."""
    return cells.tp / (cells.tp + cells.fp)


@metric("sensitivity", "Sensitivity (recall)", of="decision", interval="mover")
def sensitivity(cells: Cells) -> Floats:
    """Compute the share of the positives that are called positive."""
    return cells.sensitivity


@metric("specificity", "Specificity", of="decision", interval="mover")
def specificity(cells: Cells) -> Floats:
    """Compute the share of the negatives that are called negative."""
    return cells.specificity


@metric("npv", "Negative predictive value", of="decision", interval="mover")
def npv(cells: Cells) -> Floats:
    """Compute the share of those called negative that are."""
    return cells.tn / (cells.tn + cells.fn)


@metric("f1", "F1 score", of="decision", interval="mover")
def f1(cells: Cells) -> Floats:
    """Compute the harmonic mean of precision and sensitivity."""
    return 2 * cells.tp / (2 * cells.tp + cells.fp + cells.fn)


@metric("mcc", "Matthews correlation", of="decision", interval="mover")
def mcc(cells: Cells) -> Floats:
    """Compute the correlation of decision and class."""
    called = (cells.tp + cells.fp) * (cells.tn + cells.fn)
    return (cells.tp * cells.tn - cells.fp * cells.fn) / np.sqrt(called * (cells.tp + cells.fn) * (cells.tn + cells.fp))


@metric("likelihood_ratio_positive", "Likelihood ratio of a positive call", of="decision", interval="odds")
def likelihood_ratio_positive(cells: Cells) -> Floats:
    """Compute `se / (1 - sp)`: by how much a positive call multiplies the odds of the disease."""
    return cells.sensitivity / (1 - cells.specificity)


@metric("likelihood_ratio_negative", "Likelihood ratio of a negative call", of="decision", interval="odds")
def likelihood_ratio_negative(cells: Cells) -> Floats:
    """Compute `(1 - se) / sp`: by how much a negative call multiplies the odds of the disease."""
    return (1 - cells.sensitivity) / cells.specificity


@metric("precision_at_prevalence", "Precision at the assumed prevalence", of="decision", interval="mover")
def precision_at_prevalence(cells: Cells) -> Floats:
    """Compute `se p / (se p + (1 - sp)(1 - p))`: Bayes' rule with a prevalence `p` that is set."""
    ill = cells.sensitivity * cells.prevalence
    return ill / (ill + (1 - cells.specificity) * (1 - cells.prevalence))


@metric("npv_at_prevalence", "NPV at the assumed prevalence", of="decision", interval="mover")
def npv_at_prevalence(cells: Cells) -> Floats:
    """Compute `sp (1 - p) / (sp (1 - p) + (1 - se) p)`: Bayes' rule with a prevalence `p` that is set."""
    well = cells.specificity * (1 - cells.prevalence)
    return well / (well + (1 - cells.sensitivity) * cells.prevalence)


@metric("brier", "Brier score (lower is better)", of="probability", interval="squares")
def brier(target: Targets, probability: Floats, weights: Floats) -> Floats:
    """Compute the mean of `(probability - target)^2`."""
    return weights @ (probability - target) ** 2 / weights.sum(axis=1)


@metric(
    "ece",
    "Binned mean gap of the probabilities (ECE, lower is better)",
    of="probability",
    interval="percentile",
)
def ece(target: Targets, probability: Floats, weights: Floats) -> Floats:
    """Compute the binned mean gap: `sum_bins |sum(probability) - sum(target)| / n` over ten bins of equal width.

    Gaps of one sign within a bin, or none at all, are not seen; a small sample makes it too large even for a perfect
    model.
    """
    bins = np.eye(ECE_BINS)[calibration_bin(probability)]
    return np.abs(weights @ (bins * (probability - target)[:, None])).sum(axis=1) / weights.sum(axis=1)


@metric("calibration_in_the_large", "Calibration in the large (ideal: 0)", of="probability", interval="own")
def calibration_in_the_large(target: Targets, probability: Floats, groups: npt.NDArray) -> Estimate:
    """Compute the shift, in log-odds, that probabilities need to have the observed mean; above 0: they are too low."""
    return mean_shift(target, probability, groups)


@metric("calibration_slope", "Calibration slope (ideal: 1)", of="probability", interval="own")
def calibration_slope(target: Targets, probability: Floats, groups: npt.NDArray) -> Estimate:
    """Compute the factor that the log-odds need; below 1: they are too extreme."""
    return recalibration_slope(target, probability, groups)


@metric("observed_expected", "Observed over expected positives (ideal: 1)", of="probability", interval="own")
def observed_expected(target: Targets, probability: Floats, groups: npt.NDArray) -> Estimate:
    """Compute the number of positives over the sum of the probabilities."""
    return observed_over_expected(target, probability, groups)


METRIC_NAMES = {name: entry.title for name, entry in METRICS.items()}
RATE_METRICS = tuple(name for name, entry in METRICS.items() if entry.of == "decision")


def confusion_cells(target: Targets, decision: Targets, weights: Floats | None = None) -> Floats:
    """Count true negatives, false positives, false negatives and true positives.

    Args:
        target: True class of each image, 0 or 1, `[n]`.
        decision: Decided class of each image, 0 or 1, `[n]`.
        weights: Weight of each image in each resample, `[b, n]`. Ones if left out.

    Returns:
        The weighted counts (tn, fp, fn, tp), `[b, 4]`.
    """
    one_hot = np.eye(4)[2 * np.asarray(target) + np.asarray(decision)]
    return (np.ones((1, len(target))) if weights is None else weights) @ one_hot


def confusion_rates(cells: Floats, prevalence: float) -> dict[str, Floats]:
    """Compute the metrics that follow from a confusion matrix.

    Args:
        cells: Counts (tn, fp, fn, tp), or shares, `[..., 4]`.
        prevalence: The share of the positive class for which predictive values are also given.

    Returns:
        `RATE_METRICS` by name, `[...]` each. NaN where a metric is 0 / 0.
    """
    tn, fp, fn, tp = np.moveaxis(np.asarray(cells, dtype=float), -1, 0)
    matrix = Cells(tn, fp, fn, tp, prevalence)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: METRICS[name].function(matrix) for name in RATE_METRICS}


def ranking_metrics(target: Targets, probability: Floats, weights: Floats | None = None) -> dict[str, Floats]:
    """Compute the area under the ROC curve and the average precision.

    Both come from one pass over the scores in descending order, ties taken together: the AUC is
    `sum_k n_k (P_(k-1) + p_k / 2) / (P N)` with the positives `p_k` and negatives `n_k` at the k-th score and
    the positives `P_(k-1)` above it; the average precision is `sum_k (R_k - R_(k-1)) Precision_k`.

    Args:
        target: True class of each image, 0 or 1, `[n]`.
        probability: Score of each image, higher for the positive class, `[n]`.
        weights: Weight of each image in each resample, `[b, n]`. Ones if left out.

    Returns:
        `auc` and `average_precision`, `[b]` each. NaN where a resample lacks a class.
    """
    weights = np.ones((1, len(target))) if weights is None else weights
    order = np.argsort(-probability, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(probability[order]) != 0])
    ordered = weights[:, order]
    positive = np.add.reduceat(ordered * (target[order] == 1), starts, axis=1)
    negative = np.add.reduceat(ordered * (target[order] == 0), starts, axis=1)
    above_positive, above_negative = positive.cumsum(axis=1), negative.cumsum(axis=1)
    n_positive, n_negative = above_positive[:, -1], above_negative[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = (negative * (above_positive - positive / 2)).sum(axis=1) / (n_positive * n_negative)
        above = above_positive + above_negative
        precisions = np.divide(above_positive, above, out=np.zeros_like(above), where=above > 0)
        averages = (positive * precisions).sum(axis=1) / n_positive
    return {"auc": areas, "average_precision": np.where(n_negative > 0, averages, np.nan)}


def calibration_bin(probability: Floats) -> npt.NDArray[np.int64]:
    """Return the number, 0 to 9, of the tenth of [0, 1] in which each probability lies."""
    return np.minimum((np.asarray(probability) * ECE_BINS).astype(np.int64), ECE_BINS - 1)
