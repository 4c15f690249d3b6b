"""What an adaptation changed: on the new place and on the model's own test images, before and after, paired."""

from typing import TypedDict

import pandas as pd

from pneumonia.adaptation.plan import HELD_OUT
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.auc import auc_difference
from pneumonia.metrics.decisions import Decision, decide, make_decision
from pneumonia.metrics.intervals import rate_difference
from pneumonia.metrics.operating_points import cross_decide, file_name, fit_operating_point, fitted_at_a_place
from pneumonia.metrics.registry import Estimate
from pneumonia.metrics.summary import MainMetric, SplitMetrics, split_metrics
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels
from pneumonia.model.scoring import SCORED_SPLITS, score_images
from pneumonia.pixels.store import PixelStores, pixel_keys

TEST = "test"
COMPARED: tuple[MainMetric, ...] = ("auc", "accuracy", "sensitivity", "specificity")


class Compared(TypedDict):
    """Metrics before and after an adaptation, and the paired differences of `COMPARED`: after less before."""

    before: SplitMetrics
    after: SplitMetrics
    difference: dict[str, Estimate]


class AdaptationMetrics(TypedDict):
    """What an adaptation changed on the new place, and on the model's own images; None where these are not stored."""

    new: Compared
    own: Compared | None


def score_own(
    model: Model,
    split_manifest: pd.DataFrame,
    adaptation_pixels: PixelStores,
    lineage: Lineage,
    adaptation_scores: pd.DataFrame,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict the model's own validation and test images.

    Where their pixels are not stored, the images of the new place take their part, as val and as test: there are no
    others by which to choose a threshold, or to test the model. See `measure_adaptation`.
    """
    store = open_pixels(adaptation_pixels, lineage)
    scored = split_manifest[split_manifest["split"].isin(SCORED_SPLITS)]
    if store.has(pixel_keys(scored)).all():
        return score_images(model, split_manifest, adaptation_pixels, lineage, parameters)
    new = adaptation_scores.assign(probability=adaptation_scores["after"], etiology="unknown")
    columns = ["path", "group", "label", "target", "etiology", "split", "probability", "likeliest_etiology"]
    parts = [new.assign(split=split, likeliest_etiology="unknown")[columns] for split in SCORED_SPLITS]
    return pd.concat(parts, ignore_index=True)


def measure_adaptation(
    adaptation_scores: pd.DataFrame,
    adaptation_predictions: pd.DataFrame,
    parent_scores: pd.DataFrame,
    predictions: pd.DataFrame,
    parent_decision: Decision,
    parameters: EvaluationParameters,
) -> AdaptationMetrics:
    """Measure every metric with its interval, before and after, and paired differences.

    Before, the parent decides at its own threshold. After, the new place has a threshold and a calibration of its own,
    cross-fitted like the networks; the model's own images are judged at the model's own threshold.

    Returns:
        "new" and "own", each with "before" and "after" (the record of a split as in `metrics`) and "difference" (of
        `COMPARED`: after less before). "own" is None where the own images are not stored.
    """
    new = judged_images(adaptation_scores)
    before = decide(new.assign(probability=new["before"]), parent_decision)
    found: AdaptationMetrics = {"new": _compare(before, adaptation_predictions, parameters), "own": None}
    own = predictions[predictions["split"] == TEST].set_index("path")
    if not set(own.index) <= set(adaptation_scores["path"]):
        earlier = parent_scores[parent_scores["split"] == TEST].set_index("path")
        found["own"] = _compare(decide(earlier.loc[own.index], parent_decision), own, parameters)
    return found


def judged_images(adaptation_scores: pd.DataFrame) -> pd.DataFrame:
    """Return the images that judge the adaptation: the new place's test images, or all of them, cross-fitted."""
    held_out = adaptation_scores[adaptation_scores["fold"] == HELD_OUT]
    return held_out if len(held_out) else adaptation_scores


def decide_new(adaptation_scores: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Calibrate and decide the judged images by what was fitted on other images of the place.

    Returns:
        The images in their order, with the reported `probability` and `decision` (1: positive).
    """
    scores = adaptation_scores.assign(probability=adaptation_scores["after"])
    parameters = fitted_at_a_place(parameters)
    judged = judged_images(scores)
    if len(judged) == len(scores):
        return cross_decide(scores, parameters)
    others = scores[scores["fold"] != HELD_OUT].assign(split="val")
    return decide(judged, make_decision(others, {}, parameters))


def fit_place_point(
    adaptation_scores: pd.DataFrame, model_lineage: Lineage, parameters: EvaluationParameters
) -> tuple[Decision, dict[str, Decision]]:
    """Fit the operating point of the place on the images judged by cross-fitting; also return it by file name."""
    crossed = adaptation_scores[adaptation_scores["fold"] != HELD_OUT]
    scores = crossed.assign(probability=crossed["after"])
    place = model_lineage["adaptation"]["place"]
    point = fit_operating_point(scores, place, model_lineage["weights_sha256"], parameters)
    return point, {file_name(point): point}


def _compare(before: pd.DataFrame, after: pd.DataFrame, parameters: EvaluationParameters) -> Compared:
    """Measure both, and how much more of each rate there is after than before, on the same images in the same order."""
    target, group = before["target"].to_numpy(), before["group"].to_numpy()
    right, was_right = ((rows["decision"] == rows["target"]).to_numpy() for rows in (after, before))
    kinds = {"accuracy": target >= 0, "sensitivity": target == 1, "specificity": target == 0}
    difference = {
        "auc": auc_difference(target, after["probability"].to_numpy(), before["probability"].to_numpy(), group),
        **{name: rate_difference(right[kind], was_right[kind], group[kind]) for name, kind in kinds.items()},
    }
    was, became = (split_metrics(rows.assign(split=TEST), TEST, None, parameters) for rows in (before, after))
    return {"before": was, "after": became, "difference": difference}
