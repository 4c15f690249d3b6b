"""What one epoch of an adaptation consists of: own training images and the new place's, both classes in balance."""

import numpy as np
import pandas as pd

from pneumonia.base.adaptation_parameters import AdaptationParameters

TRAIN, VAL, TEST, NEW = "train", "val", "test", "new"  # what an image is for


def size_of(plan: pd.DataFrame, parameters: AdaptationParameters) -> tuple[int, int]:
    """Return the number of own images and of the place's in an epoch, the same for every fit of a plan.

    Args:
        plan: The images, with `split`.
        parameters: `images` and `rehearsal`.
    """
    share = parameters.rehearsal if (plan["split"] == TRAIN).any() else 0.0
    n_new = max(round(parameters.images * (1 - share)), int((plan["split"] == NEW).sum()))
    return round(n_new * share / (1 - share)), n_new


def mix(own: pd.DataFrame, new: pd.DataFrame, size: tuple[int, int], parameters: AdaptationParameters) -> pd.DataFrame:
    """Put an epoch together.

    Images are repeated until they are as many as wanted, and each repetition is changed by other draws of the
    augmentation. Every place that the model comes from has the same share of the rehearsed images.

    Args:
        own: Images that are rehearsed, with sha256, label, target and place.
        new: Images of the new place, with sha256, label, target and place.
        size: How many of each.
        parameters: `seed`.

    Returns:
        The rows, with `label` replaced by the cell: place and class.
    """
    rng = np.random.default_rng(parameters.seed)
    places = [part for _, part in own.groupby("place", sort=True)] if size[0] else []
    parts = [_repeated(part, size[0] // len(places), rng) for part in places]
    rest = size[0] - sum(map(len, parts))  # so that every fit has the same number of steps
    rows = pd.concat([*parts, _repeated(new, size[1] + rest, rng)], ignore_index=True)
    return rows.assign(label=rows["place"] + ": " + rows["label"])


def _repeated(rows: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return `n` rows in random order, each as often as any other, or once more."""
    rounds = -(-n // len(rows))
    order = np.concatenate([rng.permutation(len(rows)) for _ in range(rounds)])[:n]
    return rows.iloc[order]


def balance(mixture: pd.DataFrame) -> dict[str, float]:
    """Weight each cell so that the two classes of a place count the same, and a place as much as it has rows.

    Returns:
        `n / (2 n_c)` for each cell of a place with `n` rows, `n_c` of them in the cell; 1 where a class is missing.
    """
    counts = mixture.groupby(["place", "label"], sort=True).size()
    totals, classes = counts.groupby("place").transform("sum"), counts.groupby("place").transform("size")
    return {str(label): float(weight) for (_, label), weight in (totals / (classes * counts)).items()}
