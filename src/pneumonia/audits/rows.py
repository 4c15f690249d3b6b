"""The row of an audit's table: the AUC of some scores with its interval, the rates of decisions, a paired distance."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.metrics.auc import auc_difference
from pneumonia.metrics.breakdowns import auc_of, count_images
from pneumonia.metrics.decisions import Decision, decide
from pneumonia.metrics.registry import in_columns


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


def paired_loss(name: str, first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float | None]:
    """Estimate by how much the AUC of `second` is below that of `first`, on the same images: a paired interval.

    Args:
        name: Of the three columns: `name`, `name_low`, `name_high`.
        first: `path`, `target`, `group` and `probability` of each image.
        second: `path` and `probability` of the same images, in any order.
    """
    other = second.set_index("path").loc[first["path"], "probability"].to_numpy()
    columns = (first[column].to_numpy() for column in ("target", "probability", "group"))
    target, probability, group = columns
    found = auc_difference(target, probability, other, group)
    return in_columns(found, name)
