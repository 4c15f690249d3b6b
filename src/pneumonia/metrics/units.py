"""The metrics of test in other units: per group, and on the whole test folder, copies included."""

from typing import Any

import pandas as pd

from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.decisions import apply_decision
from pneumonia.metrics.summary import columns_of, estimate


def measure_units(
    predictions: pd.DataFrame,
    split_manifest: pd.DataFrame,
    duplicate_images: pd.DataFrame,
    decision: dict[str, Any],
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
    return {
        "group": _measure(apply_decision(one_row_per_group(test), decision), parameters),
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
