"""What an adaptation changed: on the new place and on the model's own test images, before and after, paired."""

from typing import Any

import pandas as pd

from pneumonia.adaptation.plan import HELD_OUT
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.auc import auc_difference
from pneumonia.metrics.decisions import apply_decision, make_decision
from pneumonia.metrics.intervals import rate_difference
from pneumonia.metrics.operating_points import cross_decide, youden_if_fixed
from pneumonia.metrics.summary import split_metrics
from pneumonia.model.predict import open_pixels
from pneumonia.model.scoring import SCORED_SPLITS, score_images
from pneumonia.pixels.store import PixelStores

TEST = "test"
COMPARED = ("auc", "accuracy", "sensitivity", "specificity")


def score_own(
    model: Model,
    split_manifest: pd.DataFrame,
    adaptation_pixels: PixelStores,
    lineage: dict[str, Any],
    adaptation_scores: pd.DataFrame,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict the model's own validation and test images.

    Where their pixels are not stored, the images of the new place take their part, as val and as test: there are no
    others by which to choose a threshold, or to test the model. See `measure_adaptation`.
    """
    store = open_pixels(adaptation_pixels, lineage)
    scored = split_manifest[split_manifest["split"].isin(SCORED_SPLITS)]
    if store.has(scored["sha256"]).all():
        return score_images(model, split_manifest, store, parameters, lineage["etiologies"])
    new = adaptation_scores.assign(probability=adaptation_scores["after"], etiology="unknown")
    columns = ["path", "group", "label", "target", "etiology", "split", "probability", "likeliest_etiology"]
    parts = [new.assign(split=split, likeliest_etiology="unknown")[columns] for split in SCORED_SPLITS]
    return pd.concat(parts, ignore_index=True)


def measure_adaptation(
    adaptation_scores: pd.DataFrame,
    parent_scores: pd.DataFrame,
    predictions: pd.DataFrame,
    parent_decision: dict[str, Any],
    decision: dict[str, Any],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure every metric with its interval, before and after, and paired differences.

    Before, the parent decides at its own threshold. After, the new place has a threshold and a calibration of its own,
    cross-fitted like the networks; the model's own images are judged at the model's own threshold.

    Returns:
        "new" and "own", each with "before" and "after" (the record of a split as in `metrics`) and "difference" (of
        `COMPARED`: after less before). "own" is None where the own images are not stored.
    """
    new = judged_images(adaptation_scores).assign(split=TEST)
    before = apply_decision(new.assign(probability=new["before"]), parent_decision)
    found: dict[str, Any] = {"new": _compare(before, decide_new(adaptation_scores, parameters), parameters), "own": None}
    own = predictions[predictions["split"] == TEST].set_index("path")
    earlier = parent_scores[parent_scores["split"] == TEST].set_index("path")
    if not set(own.index) <= set(adaptation_scores["path"]):
        before = apply_decision(earlier.loc[own.index], parent_decision)
        found["own"] = _compare(before, own, parameters)
    return found


def judged_images(adaptation_scores: pd.DataFrame) -> pd.DataFrame:
    """Return the images by which the adaptation is judged: the new place's test images, or all of them, cross-fitted."""
    held_out = adaptation_scores[adaptation_scores["fold"] == HELD_OUT]
    return held_out if len(held_out) else adaptation_scores


def decide_new(adaptation_scores: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Calibrate and decide the judged images by what was fitted on other images of the place."""
    scores = adaptation_scores.assign(probability=adaptation_scores["after"], split=TEST)
    parameters = youden_if_fixed(parameters)
    judged = judged_images(scores)
    if len(judged) == len(scores):
        return cross_decide(scores, parameters)
    others = scores[scores["fold"] != HELD_OUT].assign(split="val")
    return apply_decision(judged, make_decision(others, parameters))


def _compare(before: pd.DataFrame, after: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, Any]:
    """Measure both, and how much more of each rate there is after than before, on the same images in the same order."""
    target, group = before["target"].to_numpy(), before["group"].to_numpy()
    right = [(rows["decision"] == rows["target"]).to_numpy() for rows in (after, before)]
    kinds = {"accuracy": target >= 0, "sensitivity": target == 1, "specificity": target == 0}
    difference = {
        "auc": auc_difference(target, after["probability"].to_numpy(), before["probability"].to_numpy(), group),
        **{name: rate_difference(*(one[kind] for one in right), group[kind]) for name, kind in kinds.items()},
    }
    measured = {
        name: split_metrics(rows.assign(split=TEST), TEST, {"threshold": None}, parameters)
        for name, rows in (("before", before), ("after", after))
    }
    return {**measured, "difference": difference}
