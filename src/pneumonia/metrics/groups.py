"""What groups do to errors, because images of one child resemble each other: standard errors and resamples over groups.

Resamples draw whole groups. Field and Welsh, J. R. Stat. Soc. B 69 (2007), call it the randomised cluster bootstrap;
for the area under the ROC curve its variance agrees with that of Obuchowski, Biometrics 53 (1997).
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats

ALIKE_GROUPS = 2
ROUNDING = 1e-9
CHUNK = 250  # resamples held in memory at once: 250 x 6,000 images are 12 MB


def group_sums(influence: Floats, groups: npt.NDArray) -> Floats:
    """Sum over the images of each group, `[n_groups]` in the order of the sorted names."""
    codes = np.unique(groups, return_inverse=True)[1]
    return np.bincount(codes, influence).astype(float)


def cluster_variance(sums: Floats) -> float:
    """Return `G / (G - 1) sum_g s_g^2` for the groups' sums `s_g` of an estimate's influences.

    For a rate, with the influence `(x - rate) / n`, it is that of Rao and Scott, Biometrics 48 (1992).
    """
    n_groups = len(sums)
    return float(n_groups / (n_groups - 1) * np.sum(sums**2))


def shrunk_effect(
    sums: Floats,
    independent: float,
    sizes: Floats,
    telling: float,
    least: float = 1.0,
    alike_groups: int = ALIKE_GROUPS,
) -> float:
    """Return how many times as large a variance is over groups as over independent images (the design effect).

    The variance over groups is far too small by chance where few groups have most of the influence. It is averaged, as
    `telling` groups against `alike_groups`, with that of groups whose images are all alike: `sum(m^2) / sum(m)` for
    sizes `m` (Kish, Survey Sampling, 1965).

    Args:
        sums: The groups' sums of an estimate's influences.
        independent: Its variance if images were independent.
        sizes: Images of each group.
        telling: How many groups tell the variance.
        least: Smallest effect that the groups' own variance may have.
        alike_groups: How much of the other variance is added. Two are enough for the intervals of rates to cover.
    """
    alike = float(np.sum(sizes**2) / np.sum(sizes))
    own = max(cluster_variance(sums) / independent, least)
    return (telling * own + alike_groups * alike) / (telling + alike_groups)


def rate_deviation(successes: npt.NDArray, groups: npt.NDArray) -> float:
    """Return the standard deviation of a share of images, no smaller than that of independent images.

    Two images in groups `a` and `b` each, right and wrong in both: the sums over the groups are 0, and what is left is
    `sqrt(0.5 x 0.5 / 4) = 0.25`.
    """
    rate = float(np.mean(successes))
    n = len(successes)
    clustered = cluster_variance(group_sums((successes - rate) / n, groups))
    return float(np.sqrt(max(clustered, rate * (1 - rate) / n)))


def correlation(first: Floats, second: Floats) -> float:
    """Return the correlation of two estimates from their groups' sums of influences; 0 where one does not vary."""
    scale = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(np.clip(np.sum(first * second) / scale, -1, 1)) if scale > 0 else 0.0


def resample_groups(groups: npt.NDArray, n_resamples: int, seed: int) -> Iterator[Floats]:
    """Draw groups with replacement, as many as there are, again and again.

    The draws depend only on the sorted group names and the seed, not on the order of the rows.

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


def conformal_quantile(values: npt.NDArray, groups: npt.NDArray, missed: float) -> float | None:
    """Return the value that one of a new group exceeds in at most a share of cases; None if there are too few groups.

    Each group weighs `1 / (G + 1)`, shared among its values, and the new one as much: it is the least value up to which
    the groups weigh `1 - missed` (Dunn, Wasserman and Ramdas, J. Am. Stat. Assoc. 118, 2023).

    Args:
        values: `[n]`.
        groups: Group of each, `[n]`.
        missed: The share.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    sizes, order = np.bincount(codes), np.argsort(values)
    weight = np.cumsum((1 / sizes[codes] / (len(sizes) + 1))[order])
    reached = np.flatnonzero(weight >= 1 - missed - ROUNDING)
    return float(values[order][reached[0]]) if len(reached) else None
