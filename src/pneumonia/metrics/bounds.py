"""Bounds of 95% intervals, from a value and its standard error or from a rate, and the statements that they allow."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats
from pneumonia.metrics.groups import group_sums, shrunk_effect
from pneumonia.metrics.registry import Estimate

Z = 1.959963984540054
TAIL = 0.025

Verdict = Literal["better", "not shown to be different", "worse"]

UNDEFINED: Estimate = {"value": None, "low": None, "high": None}


def quantile_of(tail: float) -> float:
    """Return how many standard deviations an interval reaches to either side: 1.96 for the tail of 0.025."""
    from scipy.stats import norm

    return Z if tail == TAIL else float(norm.ppf(1 - tail))


def logit_interval(value: float, deviation: float, quantile: float = Z) -> tuple[float, float]:
    """Return the interval of a value in (0, 1), made on the logit scale, where it cannot leave the range.

    `logit(m) -+ 1.96 s / (m (1 - m))`, mapped back (Pepe, The Statistical Evaluation of Medical Tests, 2003, section
    5.2). `logit_interval(0.9, 0.03)` is 0.9 / 0.1 = 9, times and by exp(1.96 x 0.03 / 0.09) = 1.922: odds 4.683 and
    17.297, so 0.8240 and 0.9453.

    Args:
        value: In (0, 1).
        deviation: Its standard deviation.
        quantile: How many standard deviations the interval reaches to either side.
    """
    half_width = quantile * deviation / (value * (1 - value))
    logits = np.log(value / (1 - value)) + np.array([-half_width, half_width])
    low, high = 1 / (1 + np.exp(np.clip(-logits, -700, 700)))
    return float(low), float(high)


def exact_bound(n_groups: int, tail: float = TAIL) -> float:
    """Return the lowest share of successes that leaves a chance of `tail` to see `n_groups` of `n_groups`.

    The bound of Clopper and Pearson, Biometrika 26 (1934): `tail ** (1 / n_groups)`.
    """
    return float(tail ** (1 / n_groups))


def newcombe_interval(auc: float, n_positive: float, n_negative: float, quantile: float = Z) -> tuple[float, float]:
    """Return the interval of an area under the ROC curve by Newcombe's method 5 (Stat. Med. 25, 2006, 559-573).

    The bounds are the `t` that solve `|t - auc| = 1.96 sqrt(v(t))` with, for `k = (m + n) / 2 - 1`,

        v(t) = t (1 - t) / (m n) (1 + k (1 - t) / (2 - t) + k t / (1 + t)).

    Args:
        auc: The observed area, 0 to 1.
        n_positive: `m`: independent positives.
        n_negative: `n`: independent negatives.
        quantile: How many standard deviations the interval reaches to either side.
    """
    from scipy.optimize import brentq

    k = (n_positive + n_negative) / 2 - 1

    def excess(t: float) -> float:
        variance = t * (1 - t) / (n_positive * n_negative) * (1 + k * (1 - t) / (2 - t) + k * t / (1 + t))
        return float(abs(t - auc) - quantile * np.sqrt(variance))

    # The variance is 0 at 0 and 1; the bound is where the distance begins to exceed that of standard deviations.
    edge = 1e-9
    low = brentq(excess, edge, auc) if auc > edge and excess(edge) > 0 else 0.0
    high = brentq(excess, auc, 1 - edge) if auc < 1 - edge and excess(1 - edge) > 0 else 1.0
    return float(low), float(high)


def mover(function: Callable[[Floats], Floats], rates: list[Estimate], correlation: float = 0.0) -> Estimate:
    """Estimate a function of two rates from the rates' own intervals (method of variance estimates recovery).

    With `d1` and `d2` for how far the function falls if one rate goes to its bound and the other stays, the lower bound
    is `f - sqrt(d1^2 + d2^2 + 2 r d1 d2)`, the upper one alike: Zou and Donner, Stat. Med. 27 (2008), for sums;
    Newcombe, Commun. Stat. Theory Methods 40 (2011), for other functions. No bound exceeds the value that the function
    has when both rates are at their bounds.

    Args:
        function: Gives the value, `[b]`, of pairs of rates, `[b, 2]`; rising in both, or falling in both.
        rates: The two estimates, with bounds.
        correlation: `r`, of the errors of the two rates.
    """
    (a, a_low, a_high), (b, b_low, b_high) = (_finite(rate) for rate in rates)
    pairs = [(a, b), (a_low, b), (a_high, b), (a, b_low), (a, b_high), (a_low, b_low), (a_high, b_high)]
    value, *ends = (float(end) for end in function(np.array(pairs, dtype=float)))
    if np.isnan([value, *ends]).any():
        return {**UNDEFINED, "value": None if np.isnan(value) else value}
    (a_down, a_up), (b_down, b_up), (lowest, highest) = (sorted(ends[i : i + 2]) for i in (0, 2, 4))
    down, up = (
        float(np.sqrt(max(0.0, x**2 + y**2 + 2 * correlation * x * y)))
        for x, y in ((value - a_down, value - b_down), (a_up - value, b_up - value))
    )
    return {"value": value, "low": max(value - down, lowest), "high": min(value + up, highest)}


def _finite(rate: Estimate) -> tuple[float, float, float]:
    """Return value, low and high; NaN where there is none."""
    value, low, high = (np.nan if rate[name] is None else float(rate[name] or 0) for name in ("value", "low", "high"))
    return value, low, high


def difference(first: Mapping[str, Any], second: Mapping[str, Any], correlation: float = 0.0) -> Estimate:
    """Estimate `first - second` from the two estimates (Zou and Donner, Stat. Med. 27, 2008).

    `low = d - sqrt(x^2 + y^2 - 2 r x y)` with `x = first - its low` and `y = second's high - second`; `high` alike.

    Args:
        first: `value`, `low`, `high`.
        second: The same.
        correlation: `r`, of the errors of the two; 0 for different images, above 0 for the same ones.

    Returns:
        `value`, `low` and `high`; no bounds if one of the two has none.
    """
    if first["value"] is None or second["value"] is None:
        return UNDEFINED.copy()
    value = first["value"] - second["value"]
    if first["low"] is None or second["low"] is None:
        return {**UNDEFINED, "value": value}
    sides = (
        (first["value"] - first["low"], second["high"] - second["value"]),
        (first["high"] - first["value"], second["value"] - second["low"]),
    )
    down, up = (float(np.sqrt(max(0.0, x**2 + y**2 - 2 * correlation * x * y))) for x, y in sides)
    return {"value": value, "low": value - down, "high": value + up}


def say_difference(estimate: Mapping[str, Any]) -> Verdict:
    """Say what a 95% interval allows: "better" or "worse" only if all of it lies on one side of no difference.

    Args:
        estimate: `low` and `high`; an estimate without bounds shows nothing.
    """
    low, high = estimate["low"], estimate["high"]
    if low is not None and low > 0:
        return "better"
    if high is not None and high < 0:
        return "worse"
    return "not shown to be different"


def estimate_rate(values: npt.NDArray, groups: npt.NDArray, tail: float = TAIL) -> Estimate:
    """Estimate a share of images, or another mean of values between 0 and 1, with its interval.

    The bounds are those of Clopper and Pearson for an effective number of images (Korn and Graubard, Survey Methodology
    24, 1998): the number that, drawn one by one, would vary as much as the groups do, corrected by Student's quantile.
    With no failure, or no success, it is the number of groups. How much groups vary is `groups.shrunk_effect`.

    Args:
        values: Whether each image counts, or a value in [0, 1], `[n]`.
        groups: Group of each image, `[n]`.
        tail: What the interval leaves out at each end: 0.025 for one of 95%.

    Returns:
        `value`, `low` and `high`; None for all where there is no image, for the bounds with one group.
    """
    from scipy.stats import beta
    from scipy.stats import t as student

    sizes = group_sums(np.ones(len(values)), groups)
    if len(sizes) == 0:
        return UNDEFINED.copy()
    values = np.asarray(values, dtype=float)
    value = float(np.mean(values))
    if len(sizes) == 1:
        return {**UNDEFINED, "value": value}
    if value in (0.0, 1.0):
        bound = exact_bound(len(sizes), tail)
        return {"value": value, "low": bound, "high": 1.0} if value else {"value": value, "low": 0.0, "high": 1 - bound}
    n, of_groups = len(values), group_sums(values, groups)
    # How many groups the rarer of successes and failures come from; of unequal parts, the equal ones that vary as much.
    telling = min(float(np.sum(part) ** 2 / np.sum(part**2)) for part in (of_groups, sizes - of_groups))
    independent = value * (1 - value) / n
    least = float(np.sum((values - value) ** 2)) / n**2 / independent
    effect = shrunk_effect((of_groups - sizes * value) / n, independent, sizes, telling, least)
    effective = n / effect * (quantile_of(tail) / float(student.ppf(1 - tail, len(sizes) - 1))) ** 2
    successes, failures = effective * value, effective * (1 - value)
    low, high = beta.ppf(tail, successes, failures + 1), beta.ppf(1 - tail, successes + 1, failures)
    return {"value": value, "low": float(low), "high": float(high)}
