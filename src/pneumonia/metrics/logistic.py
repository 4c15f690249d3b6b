"""Logistic recalibration: what the log-odds of probabilities need to match the observations."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats
from pneumonia.metrics.bounds import TAIL, UNDEFINED
from pneumonia.metrics.groups import cluster_variance, group_sums, shrunk_effect
from pneumonia.metrics.registry import Estimate, Targets

CLIP = 1e-7  # float32 rounds a sigmoid to exactly 0 or 1, whose logit is infinite
ALIKE = 1e-4  # spread of log-odds: float32 rounds a probability by 6e-8, which near 0.999 is 6e-5 of log-odds
ALIKE_GROUPS = 8  # for `shrunk_effect`: with fewer, the interval of a shift was too short for an AUC near 1
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
        return -penalised(at[0], at[1], x, target)

    start = [float(logit(np.mean(target))), 1.0]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 2000}).x
    return float(best[1]) / spread


def penalised(intercept: float, slope: float, x: Floats, target: Targets, effect: float = 1.0) -> float:
    """Return the penalised log-likelihood of `fit_slope` for images that count as `1 / effect` of one each."""
    line = intercept + slope * x
    weight = expit(line) * expit(-line)
    information = np.sum(weight) * np.sum(weight * x**2) - np.sum(weight * x) ** 2
    likelihood = np.sum(target * line - np.logaddexp(0, line))
    return float(likelihood / effect + np.log(max(information, 1e-300)) / 2)


def mean_shift(target: Targets, probability: Floats, groups: npt.NDArray, tail: float = TAIL) -> Estimate:
    """Estimate the shift in log-odds between probabilities and what was seen (calibration in the large).

    It solves `sum(y - p') = 0` with `logit(p') = logit(p) + shift` (Cox, Biometrika 45, 1958; Van Calster et al., BMC
    Med. 17:230, 2019). Its bounds are made as those of the slope.
    """
    log_odds = logit(probability)
    shift = fit_shift(log_odds, target)
    shifted = expit(log_odds + shift)
    information = float(np.sum(shifted * (1 - shifted)))
    if len(np.unique(groups)) < 2 or information < ALIKE**2:
        return {**UNDEFINED, "value": shift}
    effect = _effect((target - shifted) / information, groups, 1 / information)

    def loss(at: float) -> float:
        line = log_odds + at
        likelihood = np.sum(target * line - np.logaddexp(0, line))
        return -float(likelihood / effect + np.log(max(np.sum(expit(line) * expit(-line)), 1e-300)) / 2)

    low, high = _where_risen(loss, _student(groups, tail) ** 2 / 2)
    return {"value": shift, "low": min(low, shift), "high": max(high, shift)}


def recalibration_slope(target: Targets, probability: Floats, groups: npt.NDArray, tail: float = TAIL) -> Estimate:
    """Estimate the slope of what was seen over the log-odds (calibration slope), by `fit_slope`.

    The bounds are where twice the profile of the penalised likelihood has fallen by the square of Student's quantile,
    with images that count as many times less as groups vary more than single images: Wald's are far too short where few
    images are wrong. There is no slope where the probabilities are all alike.
    """
    from scipy.optimize import minimize_scalar

    x = logit(probability)
    if float(np.std(x)) < ALIKE:
        return UNDEFINED.copy()
    slope = fit_slope(x, target)
    fitted = expit(slope * x + fit_shift(slope * x, target))
    weight = fitted * (1 - fitted)
    from_middle = x - np.average(x, weights=weight)
    information = float(np.sum(weight * from_middle**2))
    if len(np.unique(groups)) < 2 or information < ALIKE**2:
        return {**UNDEFINED, "value": slope}
    effect = _effect(from_middle * (target - fitted) / information, groups, 1 / information)
    spread = float(np.std(x))
    line = (x - np.mean(x)) / spread

    def loss(at: float) -> float:
        """Return the profile: the loss at the intercept that is best for this slope."""
        return float(minimize_scalar(lambda one: -penalised(one, at, line, target, effect), bracket=(-1, 1)).fun)

    low, high = (bound / spread for bound in _where_risen(loss, _student(groups, tail) ** 2 / 2))
    return {"value": slope, "low": min(low, slope), "high": max(high, slope)}


def _where_risen(loss: Callable[[float], float], rise: float) -> tuple[float, float]:
    """Return where a loss is higher than at its lowest by `rise`, below and above."""
    from scipy.optimize import brentq, minimize_scalar

    lowest = minimize_scalar(loss, bracket=(0, 1))
    best, ends = float(lowest.x), []

    def missing(at: float) -> float:
        return loss(at) - float(lowest.fun) - rise

    for sign in (-1, 1):
        step = max(abs(best), 1.0)
        while missing(best + sign * step) < 0 and step < FARTHEST:
            step *= 2
        end = best + sign * step
        ends.append(float(brentq(missing, *sorted((best, end)), xtol=1e-4)) if missing(end) > 0 else end)
    return ends[0], ends[1]


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
    influence = group_sums((target - probability * ratio) / observed, groups)
    deviation = max(np.sqrt(cluster_variance(influence)), binomial) if len(influence) > 1 else 0.0
    if deviation == 0:
        return {**UNDEFINED, "value": ratio}
    half_width = _student(groups, TAIL) * deviation
    return {"value": ratio, "low": float(ratio * np.exp(-half_width)), "high": float(ratio * np.exp(half_width))}


def _effect(influence: Floats, groups: npt.NDArray, independent: float) -> float:
    """Return how much more an estimate varies over groups than over single images; at least 1."""
    sums = group_sums(influence, groups)
    telling = float(np.sum(sums**2) ** 2 / np.sum(sums**4)) if np.any(sums) else 0.0
    sizes = group_sums(np.ones(len(groups)), groups)
    return shrunk_effect(sums, independent, sizes, telling, alike_groups=ALIKE_GROUPS)


def _student(groups: npt.NDArray, tail: float) -> float:
    from scipy.stats import t as student

    return float(student.ppf(1 - tail, len(np.unique(groups)) - 1))
