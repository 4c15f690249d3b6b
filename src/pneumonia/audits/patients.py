"""The result by age, sex, view and device, where the source tells them, and the differences between such parts."""

from itertools import product
from typing import Any

import pandas as pd

from pneumonia.images.attributes import ATTRIBUTES
from pneumonia.images.layout import SPLITS
from pneumonia.metrics.auc import estimate_auc
from pneumonia.metrics.bounds import TAIL, difference, estimate_rate
from pneumonia.metrics.breakdowns import measure_stratum
from pneumonia.metrics.registry import Estimate

AGE_EDGES = (0, 1, 6, 18, 40, 65, 200)  # years, the upper end not included
AGE_BANDS = ("under 1 year", "1 to 5 years", "6 to 17 years", "18 to 39 years", "40 to 64 years", "65 years and over")
NOT_KNOWN = "not known"
OTHERS = "all others"
LEAST_COMPARED = 10  # images of each class that a rate or an AUC is compared for
CLASSES = {"auc": (0, 1), "sensitivity": (1,), "specificity": (0,)}  # by measure, those it is made from
COUNT_COLUMNS = ["attribute", "value", *(f"{split}{kind}" for split in SPLITS for kind in ("", "_positive"))]
STRATUM_COLUMNS = [
    *("attribute", "value", "n", "n_positive", "n_groups"),
    *(f"{measure}{bound}" for measure in CLASSES for bound in ("", "_low", "_high")),
]
DIFFERENCE_COLUMNS = [
    *("attribute", "value", "against", "measure", "difference", "low", "high", "joint_low", "joint_high"),
    *("n", "n_against"),
]


def values_of(images: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each attribute that is known of some image, by name: its values, ages in bands, "not known" for gaps."""
    found = {}
    for name in ATTRIBUTES:
        if name not in images or not (images[name] != "").any():
            continue
        values = images[name].astype(object)
        if name == "age":
            years = pd.to_numeric(values, errors="coerce")
            values = pd.cut(years, AGE_EDGES, right=False, labels=AGE_BANDS).astype(object)
        found[name] = values.where(values.notna() & (values != ""), NOT_KNOWN)
    return found


def count_patients(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Count the images of each split by what is known of their patients.

    Returns:
        attribute, value, and for each split the images and, as `_positive`, the positive ones; no rows if nothing is
        known.
    """
    rows = []
    for attribute, values in values_of(split_manifest).items():
        for value in _ordered(values):
            row: dict[str, Any] = {"attribute": attribute, "value": value}
            for split in SPLITS:
                target = split_manifest.loc[(values == value) & (split_manifest["split"] == split), "target"]
                row |= {split: len(target), f"{split}_positive": int(target.sum())}
            rows.append(row)
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def measure_patients(predictions: pd.DataFrame, split_manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure test by `measure_by_attribute` and compare its parts by `compare_by_attribute`.

    Args:
        predictions: One row per image of validation and test.
        split_manifest: One row per image, with the attributes that are known.
    """
    test = predictions[predictions["split"] == "test"]
    known = [name for name in ATTRIBUTES if name in split_manifest]
    test = test.merge(split_manifest[["path", *known]], on="path")
    return measure_by_attribute(test), compare_by_attribute(test)


def measure_by_attribute(images: pd.DataFrame) -> pd.DataFrame:
    """Measure the images of each age band, sex, view and device apart.

    Args:
        images: With target, probability, decision, group, and the attributes that are known.

    Returns:
        `STRATUM_COLUMNS`; a gap where a class is absent, no rows if nothing is known.
    """
    rows = [
        {"attribute": attribute, "value": value, **measure_stratum(images[values == value])}
        for attribute, values in values_of(images).items()
        for value in _ordered(values)
    ]
    return pd.DataFrame(rows, columns=STRATUM_COLUMNS)


def compare_by_attribute(images: pd.DataFrame) -> pd.DataFrame:
    """Compare AUC, sensitivity and specificity of each value with those of the other one, or of all others.

    A part with fewer than ten images of a class that a measure is made from is not compared. Patients that are in both
    parts make an interval too wide, not too short.

    Args:
        images: As for `measure_by_attribute`.

    Returns:
        `DIFFERENCE_COLUMNS`: the difference (value less against) with its own 95% interval, and with one that holds for
        all rows of the table together (Bonferroni: each at 1 - 0.05 / rows).
    """
    pairs = []
    for attribute, values in values_of(images).items():
        known = [value for value in _ordered(values) if value != NOT_KNOWN]
        # Of two values one comparison says everything.
        for value, measure in product(known[: 1 if len(known) == 2 else None], CLASSES):
            of_class = images["target"].isin(CLASSES[measure])
            parts = [images[of_class & here] for here in (values == value, values.isin(set(known) - {value}))]
            if all(_is_enough(part, measure) for part in parts):
                against = known[1] if len(known) == 2 else OTHERS
                pairs.append(((attribute, value, against, measure), parts))
    rows = []
    for names, (one, other) in pairs:
        measure = names[-1]
        own, joint = (
            difference(_estimate(one, measure, tail), _estimate(other, measure, tail))
            for tail in (TAIL, TAIL / len(pairs))
        )
        bounds = (own["low"], own["high"], joint["low"], joint["high"])
        rows.append((*names, own["value"], *bounds, len(one), len(other)))
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def _ordered(values: pd.Series) -> list[str]:
    """Return the values: bands by age, others by name, what is not known last."""
    last = {band: (0, f"{number}") for number, band in enumerate(AGE_BANDS)} | {NOT_KNOWN: (1, "")}
    return sorted(set(values), key=lambda value: last.get(value, (0, value)))


def _is_enough(part: pd.DataFrame, measure: str) -> bool:
    sizes = part.groupby("target")["group"].agg(["size", "nunique"]).reindex(CLASSES[measure], fill_value=0)
    return bool((sizes["size"] >= LEAST_COMPARED).all() and (sizes["nunique"] >= 2).all())


def _estimate(part: pd.DataFrame, measure: str, tail: float) -> Estimate:
    target, groups = part["target"].to_numpy(), part["group"].to_numpy()
    if measure == "auc":
        return estimate_auc(target, part["probability"].to_numpy(), groups, tail)
    return estimate_rate(part["decision"].to_numpy() == target, groups, tail)
