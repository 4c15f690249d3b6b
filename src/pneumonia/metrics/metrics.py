"""Metrics of a two-class prediction, for one sample or for many weighted resamples of it at once.

Every metric is computed from a matrix of weights `[n_resamples, n_images]`: ones give the metric itself, the
counts of a bootstrap resample give its bootstrap replicate. So the point estimate and its interval come from
the same lines. Where a metric is 0 / 0 it is NaN here and a gap in every record.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RANKING_METRICS = ("auc", "average_precision")
RATE_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "sensitivity",
    "specificity",
    "npv",
    "f1",
    "mcc",
    "precision_at_prevalence",
    "npv_at_prevalence",
)
CALIBRATION_METRICS = ("brier", "ece")
METRICS = (*RANKING_METRICS, *RATE_METRICS, *CALIBRATION_METRICS)
METRIC_NAMES = {
    "auc": "AUC (area under the ROC curve)",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision (PPV)",
    "sensitivity": "Sensitivity (recall)",
    "specificity": "Specificity",
    "npv": "Negative predictive value",
    "f1": "F1 score",
    "mcc": "Matthews correlation",
    "precision_at_prevalence": "Precision at the set prevalence",
    "npv_at_prevalence": "NPV at the set prevalence",
    "brier": "Brier score (lower is better)",
    "ece": "Expected calibration error (lower is better)",
}
ECE_BINS = 10


def confusion_cells(
    target: npt.NDArray[np.int64], decision: npt.NDArray[np.int64], weights: Floats | None = None
) -> Floats:
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

    `precision_at_prevalence` is `se p / (se p + (1 - sp)(1 - p))` and `npv_at_prevalence` is
    `sp (1 - p) / (sp (1 - p) + (1 - se) p)`: Bayes' rule with the sensitivity `se` and specificity `sp` that
    were seen and a share `p` of ill children that was set.

    Args:
        cells: Counts (tn, fp, fn, tp), or shares, `[..., 4]`.
        prevalence: The share of the positive class for which predictive values are also given.

    Returns:
        `RATE_METRICS` by name, `[...]` each. NaN where a metric is 0 / 0.
    """
    tn, fp, fn, tp = np.moveaxis(np.asarray(cells, dtype=float), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
        ill, well = sensitivity * prevalence, specificity * (1 - prevalence)
        return {
            "accuracy": (tp + tn) / (tp + tn + fp + fn),
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "precision": tp / (tp + fp),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "npv": tn / (tn + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
            "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
            "precision_at_prevalence": ill / (ill + (1 - specificity) * (1 - prevalence)),
            "npv_at_prevalence": well / (well + (1 - sensitivity) * prevalence),
        }


def ranking_metrics(
    target: npt.NDArray[np.int64], probability: Floats, weights: Floats | None = None
) -> dict[str, Floats]:
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
        auc = (negative * (above_positive - positive / 2)).sum(axis=1) / (n_positive * n_negative)
        above = above_positive + above_negative
        precision = np.divide(above_positive, above, out=np.zeros_like(above), where=above > 0)
        average_precision = (positive * precision).sum(axis=1) / n_positive
    average_precision = np.where(n_negative > 0, average_precision, np.nan)
    return {"auc": auc, "average_precision": average_precision}


def calibration_metrics(
    target: npt.NDArray[np.int64], probability: Floats, weights: Floats | None = None
) -> dict[str, Floats]:
    """Compute the Brier score and the expected calibration error.

    The Brier score is the mean of `(probability - target)^2`. The expected calibration error is
    `sum_bins |sum(probability) - sum(target)| / n` over ten bins of equal width; a small sample makes it too
    large even for a perfect model.

    Args:
        target: True class of each image, 0 or 1, `[n]`.
        probability: Probability of the positive class, `[n]`.
        weights: Weight of each image in each resample, `[b, n]`. Ones if left out.

    Returns:
        `brier` and `ece`, `[b]` each.
    """
    weights = np.ones((1, len(target))) if weights is None else weights
    total = weights.sum(axis=1)
    gap = probability - target
    bins = np.eye(ECE_BINS)[calibration_bin(probability)]
    return {
        "brier": weights @ gap**2 / total,
        "ece": np.abs(weights @ (bins * gap[:, None])).sum(axis=1) / total,
    }


def calibration_bin(probability: Floats) -> npt.NDArray[np.int64]:
    """Return the number, 0 to 9, of the tenth of [0, 1] in which each probability lies."""
    return np.minimum((np.asarray(probability) * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def metric_values(
    columns: Mapping[str, npt.NDArray], prevalence: float, weights: Floats | None = None
) -> dict[str, Floats]:
    """Compute all of `METRICS`.

    Args:
        columns: `target` (0 or 1), `decision` (0 or 1) and `calibrated_probability`, `[n]` each; the ranking
            metrics use `probability`, which a calibration with steps does not tie.
        prevalence: The share of the positive class for which predictive values are also given.
        weights: Weight of each image in each resample, `[b, n]`. Ones if left out.

    Returns:
        Each metric by name, `[b]`.
    """
    target = columns["target"]
    return {
        **ranking_metrics(target, columns["probability"], weights),
        **confusion_rates(confusion_cells(target, columns["decision"], weights), prevalence),
        **calibration_metrics(target, columns["calibrated_probability"], weights),
    }
