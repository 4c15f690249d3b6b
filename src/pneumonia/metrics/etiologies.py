"""Which etiology a network finds most likely in positive images, compared with the recorded one."""

import pandas as pd

from pneumonia.metrics.intervals import estimate_rate
from pneumonia.metrics.subgroups import NO_ETIOLOGY

COLUMNS = ["split", "etiology", "likeliest", "images", "of_images", "n_groups", "value", "low", "high"]


def count_etiologies(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count the most likely etiologies of positive images by the recorded one, regardless of the decision.

    Args:
        predictions: One row per image of validation and test; has `etiology` and `likeliest_etiology`.

    Returns:
        split, etiology, likeliest, images, of_images (of this etiology), n_groups, and their share as value, low, high.
        No rows if the network does not distinguish etiologies.
    """
    known = predictions[(predictions["target"] == 1) & ~predictions["etiology"].isin(NO_ETIOLOGY)]
    known = known[~known["likeliest_etiology"].isin(NO_ETIOLOGY)]
    kinds = sorted(set(known["etiology"]) | set(known["likeliest_etiology"]))
    rows = []
    for (split, etiology), part in known.groupby(["split", "etiology"], sort=True):
        sizes = {"of_images": len(part), "n_groups": part["group"].nunique()}
        for kind in kinds:
            said = (part["likeliest_etiology"] == kind).to_numpy()
            rate = estimate_rate(said, part["group"].to_numpy())
            rows.append(
                {"split": split, "etiology": etiology, "likeliest": kind, "images": int(said.sum()), **sizes, **rate}
            )
    return pd.DataFrame(rows, columns=COLUMNS)
