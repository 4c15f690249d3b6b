"""95% intervals by a bootstrap over groups, with exact bounds where a sample holds no error at all.

Images of one group (one child, as far as file names tell) resemble each other, so groups are drawn, not
images (Field and Welsh, J. R. Stat. Soc. B 69, 2007). With the standard deviation `s` of a metric `m` over the
resamples, the interval is built on the logit scale, where it cannot leave [0, 1] and covers well near 1
(Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2)::

    logit(m) -+ 1.96 s / (m (1 - m)),  mapped back.

A metric of exactly 1 (or 0) has s = 0 and says nothing about its error. There the bound is that of Clopper and
Pearson for m groups without an error, `0.025 ** (1 / m)`:

* sensitivity, specificity: m is the number of groups of that class;
* AUC: m is the smaller class's number of groups, for as many disjoint pairs were all in order;
* average precision: what it would be if the share of negatives that the AUC's bound allows were ranked first;
* Brier score: m is the number of groups, for a loss of at most 1 that was never above 0;
* all others: computed from the bounds of sensitivity and specificity, each taken at half the error rate, at the
  shares of the classes that were seen. So is any rate that no resample moves, like the balanced accuracy of a
  model that calls every image positive.

The calibration error is no smooth function near 0. Its interval is that of the 2.5th and the 97.5th percentile of
the resamples, stretched to hold the value; like the value itself it tends to be too high.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.metrics import RATE_METRICS, Floats, confusion_rates, metric_values, ranking_metrics

Z = 1.959963984540054
TAIL = 0.025
NO_DEVIATION = 1e-12  # what rounding alone leaves
CHUNK = 250  # resamples held in memory at once: 250 x 6,000 images are 12 MB

Estimate = dict[str, float | None]


def resample_groups(groups: npt.NDArray, n_resamples: int, seed: int) -> Iterator[Floats]:
    """Draw groups with replacement, as many as there are, again and again.

    The draws depend on the sorted group names and the seed alone, not on the order of the rows.

    Args:
        groups: Group of each image, `[n]`.
        n_resamples: How many resamples to draw.
        seed: Seed of the draws.

    Yields:
        How often each image is in each resample, `[up to 250, n]`.
    """
    names, codes = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    for start in range(0, n_resamples, CHUNK):
        rows = min(CHUNK, n_resamples - start)
        drawn = rng.integers(len(names), size=(rows, len(names))) + len(names) * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, len(names))
        yield counts[:, codes].astype(float)


def bootstrap(
    statistic: Callable[[Floats], dict[str, Floats]], groups: npt.NDArray, n_resamples: int, seed: int
) -> dict[str, Floats]:
    """Compute statistics on resamples of the groups.

    Args:
        statistic: Gives statistics by name, `[b]` each, from weights `[b, n]`.
        groups: Group of each image, `[n]`.
        n_resamples: How many resamples to draw.
        seed: Seed of the draws.

    Returns:
        Each statistic by name, `[n_resamples]`.
    """
    parts = [statistic(weights) for weights in resample_groups(groups, n_resamples, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def logit_interval(value: float, deviation: float, lowest: float = 0.0) -> tuple[float, float]:
    """Return the 95% interval of a value in (lowest, 1) by the formula of this module.

    `logit_interval(0.9, 0.03)` is 0.9 / 0.1 = 9, times and by exp(1.96 x 0.03 / 0.09) = 1.922: odds 4.683 and
    17.297, so 0.8240 and 0.9453.
    """
    share = (value - lowest) / (1 - lowest)
    half_width = Z * deviation / (1 - lowest) / (share * (1 - share))
    logits = np.log(share / (1 - share)) + np.array([-half_width, half_width])
    low, high = lowest + (1 - lowest) / (1 + np.exp(np.clip(-logits, -700, 700)))
    return float(low), float(high)


def exact_bound(n_groups: int, tail: float = TAIL) -> float:
    """Return the lowest share of successes that leaves a chance of `tail` to see `n_groups` of `n_groups`."""
    return float(tail ** (1 / n_groups))


def difference_interval(value: float, replicates: Floats) -> tuple[float, float]:
    """Return `value -+ 1.96 s`, with the standard deviation `s` of a paired difference's replicates."""
    half_width = Z * float(np.nanstd(replicates, ddof=1))
    return value - half_width, value + half_width


def estimate_metrics(
    columns: Mapping[str, npt.NDArray], prevalence: float, n_resamples: int, seed: int
) -> dict[str, Estimate]:
    """Estimate every metric with its 95% interval.

    Args:
        columns: `target`, `decision`, `probability`, `calibrated_probability` and `group`, `[n]` each.
        prevalence: The share of the positive class for which predictive values are also given.
        n_resamples: How many resamples of the groups to draw.
        seed: Seed of the draws.

    Returns:
        `{"value", "low", "high"}` for each metric. `value` is None where the metric is 0 / 0; the bounds are
        None where a class has fewer than two groups, which leaves nothing to resample.
    """
    values = {name: float(value[0]) for name, value in metric_values(columns, prevalence).items()}
    replicates = bootstrap(
        lambda weights: metric_values(columns, prevalence, weights), columns["group"], n_resamples, seed
    )
    counts = groups_by_class(columns["target"], columns["group"])
    return {name: _with_bounds(name, values, replicates[name], counts, prevalence) for name in values}


def _with_bounds(
    name: str,
    values: Mapping[str, float],
    replicates: Floats,
    counts: Mapping[str, int | float],
    prevalence: float,
) -> Estimate:
    """Return one metric with its interval, by the rules of this module."""
    value = values[name]
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    if min(counts["negative"], counts["positive"]) < 2:
        return {"value": value, "low": None, "high": None}
    deviation = float(np.nanstd(replicates, ddof=1))
    if name == "ece":
        low, high = np.quantile(replicates, [TAIL, 1 - TAIL])
        return {"value": value, "low": min(value, float(low)), "high": max(value, float(high))}
    if deviation < NO_DEVIATION and (name in RATE_METRICS or value in (0.0, 1.0)):
        low, high = bounds_at_the_edge(name, value, values, counts, prevalence)
    else:
        low, high = logit_interval(value, deviation, lowest=-1.0 if name == "mcc" else 0.0)
    return {"value": value, "low": low, "high": high}


def estimate_auc(
    target: npt.NDArray[np.int64], probability: Floats, groups: npt.NDArray, n_resamples: int, seed: int
) -> Estimate:
    """Estimate the AUC of scores with its 95% interval.

    Args:
        target: True class, 0 or 1, `[n]`.
        probability: Score, higher for the positive class, `[n]`.
        groups: Group of each image, `[n]`.
        n_resamples: How many resamples of the groups to draw.
        seed: Seed of the draws.

    Returns:
        `value`, `low` and `high`, as `estimate_metrics` gives them.
    """
    value = ranking_metrics(target, probability)["auc"]
    replicates = bootstrap(lambda weights: ranking_metrics(target, probability, weights), groups, n_resamples, seed)[
        "auc"
    ]
    return _with_bounds("auc", {"auc": float(value[0])}, replicates, groups_by_class(target, groups), 0.5)


def estimate_rate(successes: npt.NDArray[np.bool_], groups: npt.NDArray, n_resamples: int, seed: int) -> Estimate:
    """Estimate a share of images with its 95% interval.

    Args:
        successes: Whether each image counts, `[n]`.
        groups: Group of each image, `[n]`.
        n_resamples: How many resamples of the groups to draw.
        seed: Seed of the draws.

    Returns:
        `value`, `low` and `high`; None for all where there is no image, for the bounds with one group.
    """
    n_groups = len(np.unique(groups))
    if n_groups == 0:
        return {"value": None, "low": None, "high": None}
    value = float(np.mean(successes))
    if n_groups == 1:
        return {"value": value, "low": None, "high": None}
    if value in (0.0, 1.0):
        bound = exact_bound(n_groups)
        return {"value": value, "low": bound, "high": 1.0} if value else {"value": value, "low": 0.0, "high": 1 - bound}
    replicates = bootstrap(
        lambda weights: {"rate": weights @ successes / weights.sum(axis=1)}, groups, n_resamples, seed
    )
    low, high = logit_interval(value, float(np.std(replicates["rate"], ddof=1)))
    return {"value": value, "low": low, "high": high}


def groups_by_class(target: npt.NDArray, groups: npt.NDArray) -> dict[str, int | float]:
    """Count groups with an image of the negative class, of the positive class, and all; and the positive share."""
    return {
        "negative": len(np.unique(groups[target == 0])),
        "positive": len(np.unique(groups[target == 1])),
        "all": len(np.unique(groups)),
        "positive_share": float(np.mean(target)),
    }


def bounds_at_the_edge(
    name: str,
    value: float,
    values: Mapping[str, float],
    counts: Mapping[str, int | float],
    prevalence: float,
) -> tuple[float, float]:
    """Return the interval of a metric that no resample moves, by the rules of this module."""
    n_negative, n_positive = int(counts["negative"]), int(counts["positive"])
    share = counts["positive_share"]
    if name in ("auc", "brier"):
        bound = exact_bound(int(counts["all"]) if name == "brier" else min(n_negative, n_positive))
        return (bound, 1.0) if value == 1 else (0.0, 1 - bound)
    if name == "average_precision":
        odds = (1 - exact_bound(min(n_negative, n_positive))) * (1 - share) / share
        return float(1 - odds * np.log((1 + odds) / odds)), 1.0
    tail = TAIL if name in ("sensitivity", "specificity") else TAIL / 2
    sensitivities = _exact_interval(values["sensitivity"], n_positive, tail)
    specificities = _exact_interval(values["specificity"], n_negative, tail)
    low, high = (
        float(confusion_rates(_shares(share, sensitivity, specificity), prevalence)[name])
        for sensitivity, specificity in zip(sensitivities, specificities, strict=True)
    )
    return low, high


def _exact_interval(rate: float, n_groups: int, tail: float) -> tuple[float, float]:
    """Return the exact bounds of a rate of 0 or 1; any other rate as it is."""
    bound = exact_bound(n_groups, tail)
    return (bound, 1.0) if rate == 1 else (0.0, 1 - bound) if rate == 0 else (rate, rate)


def _shares(positive_share: float, sensitivity: float, specificity: float) -> Floats:
    """Return the confusion matrix (tn, fp, fn, tp) in shares of all images."""
    negative_share = 1 - positive_share
    return np.array(
        [
            negative_share * specificity,
            negative_share * (1 - specificity),
            positive_share * (1 - sensitivity),
            positive_share * sensitivity,
        ]
    )
