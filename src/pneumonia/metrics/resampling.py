"""Resamples of the groups: whole groups are drawn, because images of one child resemble each other.

Field and Welsh, J. R. Stat. Soc. B 69 (2007), call it the randomised cluster bootstrap; for the area under the ROC
curve its variance agrees with that of Obuchowski, Biometrics 53 (1997).
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.registry import Floats

CHUNK = 250  # resamples held in memory at once: 250 x 6,000 images are 12 MB


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
