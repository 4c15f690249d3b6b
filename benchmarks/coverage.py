"""How often 95% intervals hold the truth, over a grid of samples: docs/reporting-standards.md.

    python benchmarks/coverage.py [--samples N] [--seed N]

Groups are of single images, of 1 to 20 images of which the log-odds correlate by a half, or of 1 to 20 images that are
all alike. Log-odds are normal in each class and perfectly calibrated. A rate is that of images being right at 0.95 and
0.99. Of 1,000 samples, 95% has a standard error of 0.7 points. Sets of classes are bounded on as many groups; told is
in how many samples they hold the class of an image of a new group. Differences are those of two networks on the same
images: the second has the noise of the first and an AUC that is 0.01 lower, and is wrong on a further 2% of groups.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import norm

from pneumonia.metrics.auc import auc_difference, estimate_auc
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.intervals import rate_difference
from pneumonia.metrics.logistic import expit, mean_shift, observed_over_expected, recalibration_slope
from pneumonia.metrics.usefulness import bound_classes

GROUPS, AUCS, RATES = (30, 100, 400), (0.85, 0.95, 0.99, 0.997), (0.95, 0.99)
SINGLE, HALF, ALIKE = KINDS = ("single", "ICC 0.5", "alike")
LARGEST = 20  # images of a group
FEW, LOWER, FURTHER = 10, 0.01, 0.02  # groups; of AUC; share of groups
Draw = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Print the share of samples whose interval holds the truth, one row per cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for title, columns, cells in (
        ("rate", ("covered",), rate_cells(rng)),
        ("AUC", ("auc", "brier", "slope", "shift", "observed/expected"), auc_cells(rng)),
        ("AUC", ("set, negative", "set, positive"), set_cells(rng)),
        ("first", ("AUC difference", "rate difference"), difference_cells(rng)),
    ):
        print(f"{'groups':>6} {title:>6} {'images':8}", *(f"{column:>17}" for column in columns), flush=True)
        for n_groups, level, kind, measure in cells:
            covered = np.mean([measure() for _ in range(options.samples)], axis=0)
            print(f"{n_groups:6} {level:6} {kind:8}", *(f"{share:17.3f}" for share in covered), flush=True)


def rate_cells(rng: np.random.Generator) -> Iterator[tuple[int, float, str, Callable[[], list[bool]]]]:
    """Yield each cell of rates, with a function that draws a sample and says whether its interval holds the rate."""
    for n_groups, rate, kind in product(GROUPS, RATES, KINDS):

        def measure(n: int = n_groups, of: float = rate, how: str = kind) -> list[bool]:
            return [holds(estimate_rate(*rights(rng, n, of, how)), of)]

        yield n_groups, rate, kind, measure


def auc_cells(rng: np.random.Generator) -> Iterator[tuple[int, float, str, Callable[[], list[bool]]]]:
    """Yield each cell of AUCs, with a function that draws a sample and says which intervals hold."""
    for n_groups, auc, kind in product(GROUPS, AUCS, KINDS):
        middle = norm.ppf(auc) ** 2
        noise = np.random.default_rng(0).normal(size=10**6)
        loss = float(np.mean(expit(-middle - np.sqrt(2 * middle) * noise) ** 2))

        def measure(n: int = n_groups, of: float = auc, how: str = kind, brier: float = loss) -> list[bool]:
            target, probability, group = scores(rng, n, of, how)
            return [
                holds(estimate_auc(target, probability, group), of),
                holds(estimate_rate((probability - target) ** 2, group), brier),
                holds(recalibration_slope(target, probability, group), 1),
                holds(mean_shift(target, probability, group), 0),
                holds(observed_over_expected(target, probability, group), 1),
            ]

        yield n_groups, auc, kind, measure


def set_cells(rng: np.random.Generator) -> Iterator[tuple[int, float, str, Callable[[], list[bool]]]]:
    """Yield each cell of AUCs, with a function that bounds sets and says whether they hold two new classes."""
    for n_groups, auc, kind in product(GROUPS, AUCS, KINDS):

        def measure(n: int = n_groups, of: float = auc, how: str = kind) -> list[bool]:
            target, probability, group = scores(rng, n + 4, of, how)
            is_known = group >= 4  # the first four groups are two of each class
            negative, positive = bound_classes(target[is_known], probability[is_known], group[is_known])
            new = np.searchsorted(group, [0, 2])
            return [probability[new[0]] <= negative, probability[new[1]] >= positive]

        yield n_groups, auc, kind, measure


def difference_cells(rng: np.random.Generator) -> Iterator[tuple[int, float, str, Callable[[], list[bool]]]]:
    """Yield each cell of a first AUC, and rate, with a function that says which intervals hold the differences."""
    for n_groups, level, kind in product((FEW, *GROUPS), RATES, KINDS):

        def measure(n: int = n_groups, of: float = level, how: str = kind) -> list[bool]:
            target, first, group = scores(rng, n, of, how)
            lowered = np.sqrt(2) * (norm.ppf(of - LOWER) - norm.ppf(of)) * target
            second = np.log(first / (1 - first)) / np.sqrt(2) / norm.ppf(of) + lowered
            right, of_group = rights(rng, n, of, how)
            also_right = right * (rng.random(n) >= FURTHER)[of_group]
            return [
                holds(auc_difference(target, first, second, group), LOWER),
                holds(rate_difference(right, also_right, of_group), of * FURTHER),
            ]

        yield n_groups, level, kind, measure


def rights(rng: np.random.Generator, n_groups: int, rate: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw which images are right, and the group of each."""
    group = _groups(rng, n_groups, kind)
    share = rng.beta(rate, 1 - rate, n_groups) if kind == HALF else (rng.random(n_groups) < rate).astype(float)
    return (rng.random(len(group)) < share[group]).astype(float), group


def scores(rng: np.random.Generator, n_groups: int, auc: float, kind: str) -> Draw:
    """Draw the class, the calibrated probability and the group of images; at least two groups of each class."""
    group, middle = _groups(rng, n_groups, kind), norm.ppf(auc) ** 2
    target = np.r_[0, 0, 1, 1, rng.integers(0, 2, n_groups - 4)][group]
    alike = {SINGLE: 0.0, HALF: 0.5, ALIKE: 1.0}[kind]
    noise = np.sqrt(alike) * rng.normal(size=n_groups)[group] + np.sqrt(1 - alike) * rng.normal(size=len(group))
    return target, expit(middle * (2 * target - 1) + np.sqrt(2 * middle) * noise), group


def _groups(rng: np.random.Generator, n_groups: int, kind: str) -> np.ndarray:
    return np.repeat(np.arange(n_groups), 1 if kind == SINGLE else rng.integers(1, LARGEST + 1, n_groups))


def holds(estimate: dict[str, Any], truth: float) -> bool:
    """Tell whether an interval holds the truth; a bound that is missing holds anything."""
    low, high = estimate["low"], estimate["high"]
    return (low is None or low <= truth) and (high is None or truth <= high)


if __name__ == "__main__":
    main()
