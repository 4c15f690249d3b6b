"""ROC and precision-recall curves on a fixed grid, for one sample or for many weighted resamples of it."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats
from pneumonia.metrics.groups import resample_groups

GRID = np.linspace(0, 1, 201)
BAND_RESAMPLES = 500

CurveAt = Callable[[npt.NDArray[np.int64], Floats, Floats], Floats]


def roc_at(target: npt.NDArray[np.int64], probability: Floats, weights: Floats) -> Floats:
    """Return the sensitivity at 201 equally spaced values of 1 - specificity, `[b, 201]`, for weights `[b, n]`."""
    positive, negative = _called(target, probability, weights)
    rates = zip(negative / negative[:, -1:], positive / positive[:, -1:], strict=True)
    return np.stack([np.interp(GRID, np.r_[0, false], np.r_[0, true]) for false, true in rates])


def precision_at(target: npt.NDArray[np.int64], probability: Floats, weights: Floats) -> Floats:
    """Return the precision at 201 equally spaced sensitivities, `[b, 201]`, for weights `[b, n]`.

    At each sensitivity it is the precision of the highest threshold that reaches it.
    """
    positive, negative = _called(target, probability, weights)
    recall = positive / positive[:, -1:]
    reached = [np.searchsorted(row, np.maximum(GRID - 1e-12, 1e-12)) for row in recall]
    rows = zip(positive, negative, reached, strict=True)
    return np.stack([hits[at] / (hits[at] + alarms[at]) for hits, alarms, at in rows])


def _called(target: npt.NDArray[np.int64], probability: Floats, weights: Floats) -> list[Floats]:
    """Return the weight of the positives and of the negatives from each score on, the highest first, `[b, k]` each."""
    order = np.argsort(-probability, kind="stable")
    last = np.r_[np.diff(probability[order]) != 0, True]
    return [(weights * (target == one))[:, order].cumsum(axis=1)[:, last] for one in (1, 0)]


def curve_band(curve_at: CurveAt, columns: Mapping[str, npt.NDArray], seed: int) -> tuple[Floats, Floats]:
    """Return the 2.5th and the 97.5th percentile of a curve over resamples of the groups that have both classes."""
    parts = []
    for weights in resample_groups(columns["group"], BAND_RESAMPLES, seed):
        both = (weights @ columns["target"] > 0) & (weights @ (1 - columns["target"]) > 0)
        parts.append(curve_at(columns["target"], columns["probability"], weights[both]))
    low, high = np.quantile(np.concatenate(parts), [0.025, 0.975], axis=0)
    return low, high
