"""The result in parts and in other units: by class and etiology, by properties of the file, per group, with copies.

Also rows of tables that say how well other scores, or changed images, tell the classes of some images.
"""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.text import Labelled
from pneumonia.metrics.auc import auc_difference, estimate_auc
from pneumonia.metrics.bounds import TAIL, UNDEFINED, estimate_rate
from pneumonia.metrics.decisions import Decision, decide
from pneumonia.metrics.registry import Estimate, in_columns
from pneumonia.metrics.summary import columns_of, estimate

UNNAMED = ("none", "unknown")  # in the column `etiology`: of a negative image, of one whose etiology is not known
ETIOLOGY_COLUMNS = [
    *("split", "etiology", "likeliest", "images", "of_images", "n_groups", "value", "low", "high"),
    *("auc", "auc_low", "auc_high"),
]
LEVELS = ("low", "middle", "high")
ALIKE = "all alike"


class Family(Labelled):
    """The property by which the images are divided."""

    ETIOLOGY = "etiology", "Etiology, against all negatives"
    FILE_SIZE = "file_size", "File size, thirds"
    ASPECT = "aspect", "Width over height, thirds"
    MODE = "mode", "Stored mode"


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
            known = sorted(set(members["etiology"]) - set(UNNAMED))
            subgroups = {f"all {label}": members[members["label"] == label] for label in sorted(set(members["label"]))}
            subgroups |= {name: members[members["etiology"] == name] for name in known}
            for name, images in subgroups.items():
                right = (images["decision"] == target).to_numpy()
                rate = estimate_rate(right, images["group"].to_numpy())
                sizes = {"n": len(images), "n_groups": images["group"].nunique()}
                rows.append({"split": split, "subgroup": name, "metric": metric, **rate, **sizes})
    return pd.DataFrame(rows)


def count_etiologies(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count the most likely etiologies of positive images by the recorded one, regardless of the decision.

    Args:
        predictions: One row per image of validation and test; has `etiology`, `likeliest_etiology`, `etiology_score`.

    Returns:
        split, etiology, likeliest, images, of_images (of this etiology), n_groups, and their share as value, low, high;
        for a split with images of two etiologies also the `auc` of telling the first from the second. No rows if the
        network does not distinguish etiologies.
    """
    known = predictions[(predictions["target"] == 1) & ~predictions["etiology"].isin(UNNAMED)]
    known = known[~known["likeliest_etiology"].isin(UNNAMED)]
    kinds = sorted(set(known["etiology"]) | set(known["likeliest_etiology"]))
    rows = []
    aucs = {split: _tell_apart(part, kinds) for split, part in known.groupby("split")}
    for (split, etiology), part in known.groupby(["split", "etiology"], sort=True):
        sizes = {"of_images": len(part), "n_groups": part["group"].nunique()}
        for kind in kinds:
            said = (part["likeliest_etiology"] == kind).to_numpy()
            rate = estimate_rate(said, part["group"].to_numpy())
            names = {"split": split, "etiology": etiology, "likeliest": kind, "images": int(said.sum())}
            rows.append({**names, **sizes, **rate, **aucs[split]})
    return pd.DataFrame(rows, columns=ETIOLOGY_COLUMNS)


def _tell_apart(known: pd.DataFrame, kinds: list[str]) -> dict[str, float | None]:
    """Return the AUC, with bounds, of telling the first of two etiologies from the second by its share of the two."""
    auc = UNDEFINED
    if len(kinds) == len(set(known["etiology"])) == 2:
        is_first = (known["etiology"] == kinds[0]).to_numpy().astype(int)
        auc = estimate_auc(is_first, known["etiology_score"].to_numpy(dtype=float), known["group"].to_numpy())
    return in_columns(auc, "auc")


def is_grey(modes: pd.Series) -> pd.Series:
    """Tell which stored modes are grey levels of any depth: Pillow's L, LA and I;16, DICOM's MONOCHROME2."""
    return modes.isin(["L", "LA", "La"]) | modes.str.startswith(("I", "MONOCHROME"))


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
    known = sorted(set(test.loc[test["target"] == 1, "etiology"]) - set(UNNAMED))
    parts = [
        (Family.ETIOLOGY, name, pd.concat([test[(test["target"] == 1) & (test["etiology"] == name)], negatives]))
        for name in known
    ]
    size, aspect = _thirds(test["bytes"]), _thirds(test["width"] / test["height"])
    mode = np.where(is_grey(test["mode"]), "grey", "colour")
    for family, strata in ((Family.FILE_SIZE, size), (Family.ASPECT, aspect), (Family.MODE, mode)):
        names = dict.fromkeys((*LEVELS, ALIKE, "grey", "colour"))
        parts += [(family, name, test[strata == name]) for name in names if (strata == name).any()]
    return pd.DataFrame([{"family": family, "stratum": name, **measure_stratum(rows)} for family, name, rows in parts])


def _thirds(values: pd.Series) -> Any:
    """Return which third of all each value lies in; equal values in one, without a name if there are no others."""
    if (values == values.iloc[0]).all():
        return np.repeat(ALIKE, len(values))
    share = values.rank(method="average", pct=True).to_numpy()
    return np.array(LEVELS)[np.minimum((share * 3 - 1e-9).astype(int), 2)]


def count_images(rows: pd.DataFrame) -> dict[str, int]:
    """Count images (`n`), positive ones (`n_positive`) and groups (`n_groups`)."""
    return {"n": len(rows), "n_positive": int(rows["target"].sum()), "n_groups": int(rows["group"].nunique())}


def auc_of(rows: pd.DataFrame, scores: Floats) -> Estimate:
    """Estimate the AUC of the scores of some images, `[n]`."""
    return estimate_auc(rows["target"].to_numpy(), scores, rows["group"].to_numpy())


def measure_stratum(rows: pd.DataFrame) -> dict[str, float | None]:
    """Measure some images: n, n_positive, n_groups, and auc, sensitivity, specificity with `_low` and `_high`."""
    groups, target = rows["group"].to_numpy(), rows["target"].to_numpy()
    right = rows["decision"].to_numpy() == target
    found = count_images(rows) | in_columns(auc_of(rows, rows["probability"].to_numpy()), "auc")
    for name, of in (("sensitivity", target == 1), ("specificity", target == 0)):
        found |= in_columns(estimate_rate(right[of], groups[of]), name)
    return found


def measure_splits(predictions: pd.DataFrame, train_predictions: pd.DataFrame) -> pd.DataFrame:
    """Measure a sample of the training images beside validation and test.

    Args:
        predictions: One row per image of validation and test.
        train_predictions: One row per image of the sample.

    Returns:
        split, and what `measure_stratum` gives.
    """
    judged = {split: predictions[predictions["split"] == split] for split in ("val", "test")}
    parts = {"train": train_predictions, **judged}
    return pd.DataFrame([{"split": name, **measure_stratum(rows)} for name, rows in parts.items() if len(rows)])


def measure_units(
    predictions: pd.DataFrame,
    split_manifest: pd.DataFrame,
    duplicate_images: pd.DataFrame,
    decision: Decision,
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Estimate every metric of test per group, and over all files of the source's test folder.

    Args:
        predictions: One row per image of validation and test.
        split_manifest: One row per image; `sha256` tells which image a copy is a copy of.
        duplicate_images: The surplus copies that were dropped: `sha256`, `source_split`.
        decision: The record by which probabilities become decisions.
        parameters: `prevalence`, `resamples`, `seed`.

    Returns:
        "group": the metrics of test with one row per group. "folder": those with every surplus copy of a test image
        counted as well, and None where there is none. Both with `n` and `n_groups`.
    """
    test = predictions[predictions["split"] == "test"]
    copies = copies_of(test, split_manifest, duplicate_images)
    folder = pd.concat([test, copies], ignore_index=True)
    groups = one_row_per_group(test)
    called = (groups["probability"] >= decision["threshold"]).astype(int)  # the probabilities are calibrated already
    return {
        "group": _measure(groups.assign(decision=called), parameters),
        "folder": _measure(folder, parameters) if len(copies) else None,
    }


def one_row_per_group(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the probabilities of a group's images of one class."""
    keys = ["group", "target", "split"]
    return scores.groupby(keys, as_index=False, sort=True)["probability"].mean()


def copies_of(test: pd.DataFrame, split_manifest: pd.DataFrame, duplicate_images: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each surplus copy in the test folder: that of the image it is a copy of, in the same group."""
    surplus = duplicate_images.loc[duplicate_images["source_split"] == "test", ["sha256"]]
    kept = split_manifest[["sha256", "path"]].merge(test, on="path")
    return surplus.merge(kept, on="sha256")[list(test.columns)]


def _measure(rows: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, Any]:
    sizes = {"n": len(rows), "n_groups": int(rows["group"].nunique())}
    return {**estimate(columns_of(rows, "test"), parameters), **sizes}


def auc_row(predictor: str, images: str, rows: pd.DataFrame, scores: Floats) -> dict[str, Any]:
    """Estimate the AUC of scores of some images.

    Args:
        predictor: What made the scores.
        images: Which images these are.
        rows: `target` and `group` of each image, `[n]`.
        scores: Higher for the positive class, `[n]`.

    Returns:
        predictor, images, auc, low, high, n, n_positive, n_groups.
    """
    return {"predictor": predictor, "images": images, **_auc(rows, scores)}


def _auc(rows: pd.DataFrame, scores: Floats) -> dict[str, Any]:
    return {**in_columns(auc_of(rows, scores), "auc", bounds=""), **count_images(rows)}


def decided_row(rows: pd.DataFrame, decision: Decision) -> dict[str, Any]:
    """Estimate the AUC of a network on changed images; add sensitivity and specificity at the usual threshold.

    Args:
        rows: `target`, `group` and `probability` of each image.
        decision: The record by which probabilities become decisions.

    Returns:
        auc, low, high, n, n_positive, n_groups, sensitivity, specificity.
    """
    right = decide(rows, decision)["decision"] == rows["target"]
    return {
        **_auc(rows, rows["probability"].to_numpy()),
        "sensitivity": float(right[rows["target"] == 1].mean()),
        "specificity": float(right[rows["target"] == 0].mean()),
    }


def paired_loss(name: str, first: pd.DataFrame, second: pd.DataFrame, of: int = 0) -> dict[str, float | None]:
    """Estimate by how much the AUC of `second` is below that of `first`, on the same images: a paired interval.

    Args:
        name: Of the three columns: `name`, `name_low`, `name_high`.
        first: `path`, `target`, `group` and `probability` of each image.
        second: `path` and `probability` of the same images, in any order.
        of: How many losses are judged together. Unless 0, there is a column `name_joint_low`: the lower bound of
            intervals that hold for all of them (Bonferroni).
    """
    other = second.set_index("path").loc[first["path"], "probability"].to_numpy()
    target, probability, group = (first[column].to_numpy() for column in ("target", "probability", "group"))
    found = in_columns(auc_difference(target, probability, other, group), name)
    if of:
        found[f"{name}_joint_low"] = auc_difference(target, probability, other, group, TAIL / of)["low"]
    return found
