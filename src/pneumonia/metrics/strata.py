"""The network on parts of test: by etiology, and by properties of the file that reflect how it was acquired."""

from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from pneumonia.metrics.auc import estimate_auc
from pneumonia.metrics.intervals import estimate_rate
from pneumonia.metrics.subgroups import NO_ETIOLOGY

LEVELS = ("low", "middle", "high")


class Family(StrEnum):
    """The property by which the images are divided."""

    ETIOLOGY = "etiology"
    FILE_SIZE = "file_size"
    ASPECT = "aspect"
    MODE = "mode"


FAMILY_LABELS = {
    Family.ETIOLOGY: "Etiology, against all negatives",
    Family.FILE_SIZE: "File size, thirds",
    Family.ASPECT: "Width over height, thirds",
    Family.MODE: "Stored mode",
}


def is_grey(modes: pd.Series) -> pd.Series:
    """Tell which stored modes are grey levels of any depth: Pillow's L and I;16, DICOM's MONOCHROME2."""
    return (modes == "L") | modes.str.startswith(("I", "MONOCHROME"))


def measure_strata(predictions: pd.DataFrame, split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Measure the network on parts of test.

    An etiology's positives are compared with all negatives: there are no negatives of an etiology. File size and aspect
    ratio are divided into thirds of the test images.

    Args:
        predictions: One row per image of validation and test.
        split_manifest: `bytes`, `width`, `height`, `mode` of each image.

    Returns:
        family (a `Family`), stratum, n, n_positive, n_groups, and auc, sensitivity, specificity with `_low` and
        `_high`; a gap where a class is absent.
    """
    test = predictions[predictions["split"] == "test"]
    test = test.merge(split_manifest[["path", "bytes", "width", "height", "mode"]], on="path")
    negatives = test[test["target"] == 0]
    known = sorted(set(test.loc[test["target"] == 1, "etiology"]) - set(NO_ETIOLOGY))
    parts = [
        (Family.ETIOLOGY, name, pd.concat([test[(test["target"] == 1) & (test["etiology"] == name)], negatives]))
        for name in known
    ]
    size, aspect = _thirds(test["bytes"]), _thirds(test["width"] / test["height"])
    mode = np.where(is_grey(test["mode"]), "grey", "colour")
    for family, strata in ((Family.FILE_SIZE, size), (Family.ASPECT, aspect), (Family.MODE, mode)):
        names = dict.fromkeys((*LEVELS, "grey", "colour"))
        parts += [(family, name, test[strata == name]) for name in names if (strata == name).any()]
    return pd.DataFrame([_row(family, name, rows) for family, name, rows in parts])


def _thirds(values: pd.Series) -> Any:
    """Return which third of all each value lies in; equal values in one."""
    share = values.rank(method="average", pct=True).to_numpy()
    return np.array(LEVELS)[np.minimum((share * 3 - 1e-9).astype(int), 2)]


def _row(family: Family, stratum: str, rows: pd.DataFrame) -> dict[str, Any]:
    groups, target = rows["group"].to_numpy(), rows["target"].to_numpy()
    sizes = {"n": len(rows), "n_positive": int(target.sum()), "n_groups": int(rows["group"].nunique())}
    auc: dict[str, float | None] = dict.fromkeys(("value", "low", "high"))
    if 0 < target.sum() < len(target):
        auc = estimate_auc(target, rows["probability"].to_numpy(), groups)
    estimates = {"auc": auc}
    right = rows["decision"].to_numpy() == target
    for name, of in (("sensitivity", target == 1), ("specificity", target == 0)):
        estimates[name] = estimate_rate(right[of], groups[of])
    flat = {
        name if bound == "value" else f"{name}_{bound}": value
        for name, estimate in estimates.items()
        for bound, value in estimate.items()
    }
    return {"family": family, "stratum": stratum, **sizes, **flat}
