"""The mean of values between 0 and 1 over grouped images, such as a rate, with its interval."""

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.bounds import TAIL, UNDEFINED, exact_bound, quantile_of
from pneumonia.metrics.groups import group_sums, shrunk_effect
from pneumonia.metrics.registry import Estimate


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
