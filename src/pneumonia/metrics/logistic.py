"""Logistic recalibration: what the log-odds of probabilities need to match the observations."""

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.bounds import UNDEFINED, Z
from pneumonia.metrics.groups import cluster_variance, group_sums
from pneumonia.metrics.registry import Estimate, Floats, Targets

CLIP = 1e-7  # float32 rounds a sigmoid to exactly 0 or 1, whose logit is infinite
ALIKE = 1e-4  # spread of log-odds: float32 rounds a probability by 6e-8, which near 0.999 is 6e-5 of log-odds
FARTHEST = 50.0  # log-odds, at which a probability is 0 or 1 to 21 digits


def logit(probability: npt.ArrayLike) -> Floats:
    """Return `log(p / (1 - p))`, with `p` kept 1e-7 away from 0 and 1."""
    clipped = np.clip(np.asarray(probability, dtype=float), CLIP, 1 - CLIP)
    return np.log(clipped / (1 - clipped))


def expit(log_odds: npt.ArrayLike) -> Floats:
    """Return `1 / (1 + exp(-x))`."""
    return 1 / (1 + np.exp(-np.clip(np.asarray(log_odds, dtype=float), -700, 700)))


def fit_shift(offset: Floats, target: Targets) -> float:
    """Return the number that, added to log-odds `[n]`, gives probabilities with the mean of the target (0 or 1)."""
    from scipy.optimize import brentq

    share, farthest = float(np.mean(target)), FARTHEST + float(np.max(np.abs(offset)))
    return float(brentq(lambda shift: np.mean(expit(offset + shift)) - share, -farthest, farthest))


def fit_slope(log_odds: Floats, target: Targets) -> float:
    """Return the slope of the target's log-odds over `log_odds`, by Firth's penalised likelihood.

    `sum(y log p + (1 - y) log(1 - p)) + log det(I) / 2`, with Fisher's information `I` of intercept and slope, has its
    highest point at finite values even where the classes separate (Firth, Biometrika 80, 1993; Heinze and Schemper,
    Stat. Med. 21, 2002). 0 where the log-odds are all alike.

    Args:
        log_odds: `[n]`.
        target: True class, 0 or 1, `[n]`.
    """
    from scipy.optimize import minimize

    middle, spread = float(np.mean(log_odds)), float(np.std(log_odds))
    if spread < ALIKE:
        return 0.0
    x = (log_odds - middle) / spread

    def loss(at: Floats) -> float:
        line = at[0] + at[1] * x
        weight = expit(line) * expit(-line)
        information = np.sum(weight) * np.sum(weight * x**2) - np.sum(weight * x) ** 2
        likelihood = np.sum(target * line - np.logaddexp(0, line))
        return -float(likelihood + np.log(max(information, 1e-300)) / 2)

    start = [float(logit(np.mean(target))), 1.0]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 2000}).x
    return float(best[1]) / spread


def mean_shift(target: Targets, probability: Floats, groups: npt.NDArray) -> Estimate:
    """Estimate the shift in log-odds between probabilities and what was seen (calibration in the large).

    It solves `sum(y - p') = 0` with `logit(p') = logit(p) + shift` (Cox, Biometrika 45, 1958; Van Calster et al., BMC
    Med. 17:230, 2019). The deviation is the sandwich's over groups: `sqrt(G / (G - 1) sum_g (sum(y - p'))^2) /
    sum(p' (1 - p'))`.
    """
    shift = fit_shift(logit(probability), target)
    shifted = expit(logit(probability) + shift)
    information = float(np.sum(shifted * (1 - shifted)))
    return _wald(shift, group_sums((target - shifted) / information, groups), 1 / np.sqrt(information))


def recalibration_slope(target: Targets, probability: Floats, groups: npt.NDArray) -> Estimate:
    """Estimate the slope of what was seen over the log-odds (calibration slope), by `fit_slope`.

    The deviation is the larger of the sandwich's over groups and the information's: with few errors the former is
    too small. There is no slope where the probabilities are all alike.
    """
    x = logit(probability)
    if float(np.std(x)) < ALIKE:
        return dict(UNDEFINED)
    slope = fit_slope(x, target)
    fitted = expit(slope * x + fit_shift(slope * x, target))
    weight = fitted * (1 - fitted)
    from_middle = x - np.average(x, weights=weight)
    information = float(np.sum(weight * from_middle**2))
    if information < ALIKE**2:
        return {**UNDEFINED, "value": slope}
    return _wald(slope, group_sums(from_middle * (target - fitted) / information, groups), 1 / np.sqrt(information))


def observed_over_expected(target: Targets, probability: Floats, groups: npt.NDArray) -> Estimate:
    """Estimate the number of positives over the sum of the probabilities, its interval on the log scale.

    The deviation of the logarithm is that of `(y - p O / E) / O` over groups (after Debray et al., BMJ 356:i6460,
    2017), but no smaller than the binomial `sqrt(sum(p' (1 - p'))) / O` with `p' = p O / E`: without errors the former
    is too small.
    """
    observed, expected = float(np.sum(target)), float(np.sum(probability))
    ratio = observed / expected
    scaled = np.minimum(probability * ratio, 1.0)
    binomial = float(np.sqrt(np.sum(scaled * (1 - scaled)))) / observed
    log_ratio = _wald(float(np.log(ratio)), group_sums((target - probability * ratio) / observed, groups), binomial)
    return {name: None if bound is None else float(np.exp(bound)) for name, bound in log_ratio.items()}


def _wald(value: float, influence: Floats, least: float) -> Estimate:
    """Return `value -+ 1.96 s` with the deviation over groups, but no smaller than `least`.

    There are no bounds for one group, and where nothing varies.
    """
    deviation = max(np.sqrt(cluster_variance(influence)), least) if len(influence) > 1 else 0.0
    if deviation == 0:
        return {**UNDEFINED, "value": value}
    half_width = Z * deviation
    return {"value": value, "low": float(value - half_width), "high": float(value + half_width)}
