"""Nodes of the evaluation pipeline: from images to scores, to decisions, to metrics.

Each image is predicted once. All that follows is a function of the tables, and whatever is fitted is fitted on
the validation rows alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.calibration import apply_calibration, fit_calibration
from pneumonia.metrics.intervals import estimate_metrics, estimate_rate
from pneumonia.metrics.metrics import METRICS, RATE_METRICS, confusion_cells, confusion_rates
from pneumonia.metrics.thresholds import choose_threshold, compare_rules
from pneumonia.model.lineage import check_lineage
from pneumonia.model.predict import open_pixels, predict_stored
from pneumonia.pixels.store import PixelStore, PixelStores

SCORED_SPLITS = ("val", "test")
SCORE_COLUMNS = ["path", "group", "label", "target", "etiology", "split"]
NO_ETIOLOGY = ("none", "unknown")


def check_model(pneumonia_model: Model, split_manifest: pd.DataFrame, pixel_store: PixelStores) -> dict[str, Any]:
    """Refuse a manifest or pixels that are not the model's.

    Args:
        pneumonia_model: Carries its `lineage`.
        split_manifest: One row an image.
        pixel_store: Decoded images.

    Returns:
        The model's lineage.

    Raises:
        UserError: Naming the two that differ.
    """
    check_lineage(pneumonia_model.lineage, split_manifest)
    open_pixels(pixel_store, pneumonia_model.lineage)
    return pneumonia_model.lineage


def score_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict each validation and test image once.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row an image.
        pixel_store: Decoded images.
        model_lineage: Shows that the three belong together; names the pixels.
        parameters: `batch_size`.

    Returns:
        path, group, label, target, etiology, split and the network's `probability` of the positive class.
    """
    chosen = split_manifest[split_manifest["split"].isin(SCORED_SPLITS)]
    return _score(pneumonia_model, chosen, open_pixels(pixel_store, model_lineage), parameters)


def score_train_sample(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict a random sample of the training images, to show how far the others lie from them.

    Arguments and columns are those of `score_images`; at most `train_images` rows.
    """
    train = split_manifest[split_manifest["split"] == "train"]
    sample = train.sample(min(parameters.train_images, len(train)), random_state=parameters.seed).sort_index()
    return _score(pneumonia_model, sample, open_pixels(pixel_store, model_lineage), parameters)


def _score(model: Model, rows: pd.DataFrame, pixel_store: PixelStore, parameters: EvaluationParameters) -> pd.DataFrame:
    probability = predict_stored(model, pixel_store, rows["sha256"], parameters.batch_size)
    return rows[SCORE_COLUMNS].assign(probability=probability).reset_index(drop=True)


def make_decision(scores: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, Any]:
    """Fit the calibration and choose the threshold, on validation alone.

    Args:
        scores: path, group, target, split and probability; rows of other splits are not looked at.
        parameters: `calibration`, `threshold_rule` and the rule's number.

    Returns:
        `threshold` on the calibrated probability, `rule`, `rule_value`, `scale`, `calibration`, `fitted_on`, and
        `rules`: what every rule would have chosen.

    Raises:
        UserError: If validation lacks a class.
    """
    val = scores[scores["split"] == "val"]
    if val["target"].nunique() < 2:
        raise UserError(
            "The validation images are all of one class: no threshold and no metric can be had from them. "
            "Raise ingest.val_fraction."
        )
    target, probability = val["target"].to_numpy(), val["probability"].to_numpy()
    calibration = fit_calibration(probability, target, parameters.calibration)
    calibrated = apply_calibration(probability, calibration)
    chosen = choose_threshold(calibrated, target, parameters)
    fitted_on = {"split": "val", "n": len(val), "n_groups": int(val["group"].nunique())}
    return {
        **chosen,
        "scale": "calibrated_probability",
        "calibration": calibration,
        "fitted_on": fitted_on,
        "rules": compare_rules(calibrated, target, parameters),
    }


def apply_decision(scores: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Calibrate and decide.

    Args:
        scores: Has the network's `probability`.
        decision: The record of `make_decision`.

    Returns:
        The scores with `calibrated_probability` and `decision` (1: positive).
    """
    calibrated = apply_calibration(scores["probability"].to_numpy(), decision["calibration"])
    decided = (calibrated >= decision["threshold"]).astype(np.int64)
    return scores.assign(calibrated_probability=calibrated, decision=decided)


def compute_metrics(
    predictions: pd.DataFrame, decision: dict[str, Any], parameters: EvaluationParameters
) -> dict[str, Any]:
    """Compute each metric of validation and test with its 95% interval.

    Args:
        predictions: One row an image of validation and test.
        decision: The record of `make_decision`.
        parameters: `prevalence`, `resamples`, `seed`.

    Returns:
        For "val" and "test": each metric as `{"value", "low", "high"}`, `n`, `n_groups`, `n_positive`,
        `threshold`, `confusion`; `at_half` (the rates at a threshold of 0.5), `uncalibrated` (Brier score and
        calibration error before), `prevalence`, and `optimistic` (True where model or decision saw the images).

    Raises:
        UserError: If a split lacks a class.
    """
    return {split: _split_metrics(predictions, split, decision, parameters) for split in SCORED_SPLITS}


def _split_metrics(
    predictions: pd.DataFrame, split: str, decision: dict[str, Any], parameters: EvaluationParameters
) -> dict[str, Any]:
    columns = columns_of(predictions, split)
    target, calibrated = columns["target"], columns["calibrated_probability"]
    at_half = confusion_cells(target, (calibrated >= 0.5).astype(np.int64))[0]
    before = estimate({**columns, "calibrated_probability": columns["probability"]}, parameters)
    return {
        **estimate(columns, parameters),
        "n": len(target),
        "n_groups": len(np.unique(columns["group"])),
        "n_positive": int(target.sum()),
        "threshold": decision["threshold"],
        "confusion": _confusion(confusion_cells(target, columns["decision"])[0]),
        "at_half": {**_rates(at_half, parameters.prevalence), "confusion": _confusion(at_half)},
        "uncalibrated": {name: before[name] for name in ("brier", "ece")},
        "prevalence": parameters.prevalence,
        "optimistic": split == "val",
    }


def columns_of(predictions: pd.DataFrame, split: str) -> dict[str, npt.NDArray]:
    """Return what metrics are computed from, for one split.

    Raises:
        UserError: If the split lacks a class.
    """
    rows = predictions[predictions["split"] == split]
    if rows["target"].nunique() < 2:
        raise UserError(f"The {split} images are all of one class: sensitivity or specificity cannot be measured.")
    names = ("target", "decision", "probability", "calibrated_probability", "group")
    return {name: rows[name].to_numpy() for name in names}


def estimate(columns: dict[str, npt.NDArray], parameters: EvaluationParameters) -> dict[str, Any]:
    """Estimate every metric with the parameters' prevalence, resamples and seed."""
    return {**estimate_metrics(columns, parameters.prevalence, parameters.resamples, parameters.seed)}


def _confusion(cells: npt.NDArray) -> dict[str, int]:
    return {name: int(count) for name, count in zip(("tn", "fp", "fn", "tp"), cells, strict=True)}


def _rates(cells: npt.NDArray, prevalence: float) -> dict[str, float | None]:
    rates = {name: float(value) for name, value in confusion_rates(cells, prevalence).items()}
    return {name: None if np.isnan(rates[name]) else rates[name] for name in RATE_METRICS}


def tabulate_metrics(metrics: dict[str, Any]) -> pd.DataFrame:
    """Put the metrics in a table: split, metric, value, low, high, n, n_groups; text, a gap where undefined."""
    rows = [
        {"split": split, "metric": name, **record[name], "n": record["n"], "n_groups": record["n_groups"]}
        for split, record in metrics.items()
        for name in METRICS
    ]
    return pd.DataFrame(rows)


def measure_subgroups(predictions: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Measure sensitivity by etiology, and specificity, on validation and test.

    Args:
        predictions: One row an image of validation and test.
        parameters: `resamples`, `seed`.

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
                rate = estimate_rate(right, images["group"].to_numpy(), parameters.resamples, parameters.seed)
                sizes = {"n": len(images), "n_groups": images["group"].nunique()}
                rows.append({"split": split, "subgroup": name, "metric": metric, **rate, **sizes})
    return pd.DataFrame(rows)
