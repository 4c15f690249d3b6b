"""Calibration of probabilities: fitted on one sample, stored as a plain record, applied to any other."""

from typing import Literal, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats
from pneumonia.base.errors import UserError
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.logistic import expit, fit_shift, fit_slope, logit
from pneumonia.metrics.metrics import ECE_BINS, calibration_bin
from pneumonia.metrics.registry import Targets

Method = Literal["logistic", "isotonic", "none"]


class Calibration(TypedDict):
    """The record of `fit_calibration`."""

    method: Method
    prevalence: float
    slope: NotRequired[float]
    intercept: NotRequired[float]
    x: NotRequired[list[float]]
    y: NotRequired[list[float]]


def fit_calibration(probability: Floats, target: Targets, method: Method) -> Calibration:
    """Fit the calibration of the network's probabilities.

    `logistic` fits slope and intercept of the log-odds, which also removes the shift caused by class weights: the slope
    by Firth's penalised likelihood, which stays finite if the classes are separable (Firth, Biometrika 80, 1993), then
    the intercept so that the mean of the probabilities is the observed share of positives (FLIC: Puhr et al., Stat.
    Med. 36, 2017). A network worse than chance gets the slope 0, not a reversed order. `isotonic` is the non-decreasing
    step function of least squares, joined by straight lines.

    Args:
        probability: The network's probability of the positive class, `[n]`.
        target: True class, 0 or 1, `[n]`.
        method: Which of the two, or "none".

    Returns:
        `method`, `prevalence` (the share of positives), and `slope` with `intercept`, or `x` and `y` of the corners of
        the step function.
    """
    record: Calibration = {"method": method, "prevalence": float(np.mean(target))}
    if method == "logistic":
        log_odds = logit(probability)
        slope = max(0.0, fit_slope(log_odds, target))
        return {**record, "slope": slope, "intercept": fit_shift(slope * log_odds, target)}
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        stairs = IsotonicRegression(y_min=0, y_max=1).fit(probability, target)
        return {**record, "x": stairs.X_thresholds_.tolist(), "y": stairs.y_thresholds_.tolist()}
    return record


def is_constant(calibration: Calibration) -> bool:
    """Tell whether a fitted calibration gives every image the same probability, as for scores no better than chance."""
    if calibration["method"] == "isotonic":
        return len(set(calibration["y"])) == 1
    return calibration["method"] == "logistic" and calibration["slope"] == 0


def apply_calibration(probability: Floats, calibration: Calibration) -> Floats:
    """Calibrate the network's probabilities with a record of `fit_calibration`.

    Raises:
        UserError: For a record of another release.
    """
    probability = np.asarray(probability, dtype=float)
    if calibration["method"] == "logistic":
        return expit(calibration["slope"] * logit(probability) + calibration["intercept"])
    if calibration["method"] == "isotonic":
        return np.interp(probability, calibration["x"], calibration["y"])
    if calibration["method"] != "none":
        raise UserError(
            f"The decision was calibrated with {calibration['method']}, which this release does not know. Make it "
            "again: kedro run --pipelines=evaluation."
        )
    return probability.copy()


def at_prevalence(probability: npt.ArrayLike, prevalence: float, validation_prevalence: float) -> Floats:
    """Convert calibrated probabilities to another share of positive images.

    `logit(p) + logit(prevalence) - logit(validation_prevalence)`, mapped back: Bayes' rule, if positive and negative
    images look as they do here and only their shares differ (Saerens, Latinne and Decaestecker, Neural Computation 14,
    2002). `at_prevalence(0.75, 0.1, 0.75)` is 0.1.

    Args:
        probability: Calibrated where `validation_prevalence` holds.
        prevalence: The other share of positives.
        validation_prevalence: `prevalence` of the record of `fit_calibration`.
    """
    return expit(logit(probability) + float(logit(prevalence) - logit(validation_prevalence)))


def reliability(probability: Floats, target: Targets, groups: npt.NDArray) -> dict[str, npt.NDArray]:
    """Compare predicted and observed shares of the positive class in tenths of the probability.

    Returns:
        `bin` (0 to 9, empty ones left out), `n`, `predicted` (mean probability), `seen` (share of positives), and `low`
        and `high`: the bounds of its 95% interval over groups, NaN for one group.
    """
    bins = calibration_bin(probability)
    n = np.bincount(bins, minlength=ECE_BINS)
    used = np.flatnonzero(n)
    rates = [estimate_rate(target[bins == one], groups[bins == one]) for one in used]
    return {
        "bin": used,
        "n": n[used],
        "predicted": np.bincount(bins, probability, ECE_BINS)[used] / n[used],
        "seen": np.bincount(bins, target, ECE_BINS)[used] / n[used],
        "low": np.array([rate["low"] for rate in rates], dtype=float),
        "high": np.array([rate["high"] for rate in rates], dtype=float),
    }
