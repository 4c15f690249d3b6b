"""Standard errors of means and rates when images of one group resemble each other: sums over groups, not images."""

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.registry import Floats


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
