"""Sensitivity and specificity of parts of a split."""

import pandas as pd

from pneumonia.metrics.intervals import estimate_rate

NO_ETIOLOGY = ("none", "unknown")


def measure_subgroups(predictions: pd.DataFrame) -> pd.DataFrame:
    """Measure sensitivity by etiology, and specificity, on validation and test.

    Args:
        predictions: One row per image of validation and test.

    Returns:
        split, subgroup, metric, value, low, high, n, n_groups: one row for each etiology that is known, one
        for all of each class.
    """
    rows = []
    for split, part in predictions.groupby("split", sort=True):
        for target, metric in ((1, "sensitivity"), (0, "specificity")):
            members = part[part["target"] == target]
            known = sorted(set(members["etiology"]) - set(NO_ETIOLOGY))
            subgroups = {f"all {label}": members[members["label"] == label] for label in sorted(set(members["label"]))}
            subgroups |= {name: members[members["etiology"] == name] for name in known}
            for name, images in subgroups.items():
                right = (images["decision"] == target).to_numpy()
                rate = estimate_rate(right, images["group"].to_numpy())
                sizes = {"n": len(images), "n_groups": images["group"].nunique()}
                rows.append({"split": split, "subgroup": name, "metric": metric, **rate, **sizes})
    return pd.DataFrame(rows)
