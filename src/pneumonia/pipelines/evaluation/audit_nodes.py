"""Nodes that ask what else could explain the result: shortcuts, hidden regions, damaged images."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.audits.shortcuts import (
    FEATURE_SETS,
    cross_validated_scores,
    file_features,
    held_out_scores,
    hide,
    pixel_features,
)
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.intervals import estimate_auc
from pneumonia.metrics.metrics import Floats
from pneumonia.model.predict import PART, Pixels, open_pixels, predict_stored
from pneumonia.pipelines.evaluation.nodes import apply_decision
from pneumonia.pixels.store import PixelStores

VIEWS = {"whole image": None, "centre hidden": "centre", "border hidden": "border"}


def describe_shortcuts(
    split_manifest: pd.DataFrame, pixel_store: PixelStores, model_lineage: dict[str, Any]
) -> pd.DataFrame:
    """Describe each image by its file, its brightness and its borders.

    Args:
        split_manifest: One row an image.
        pixel_store: Decoded images.
        model_lineage: Names the pixels that the model sees.

    Returns:
        path, group, target, split and the columns of `shortcuts.FEATURE_SETS`, one row an image.
    """
    store = open_pixels(pixel_store, model_lineage)
    rows = store.rows(split_manifest["sha256"])
    parts = [pixel_features(store.read(rows[i : i + PART])) for i in range(0, len(rows), PART)]
    keys = split_manifest[["path", "group", "target", "split"]].reset_index(drop=True)
    files = file_features(split_manifest).reset_index(drop=True)
    return pd.concat([keys, files, pd.concat(parts, ignore_index=True)], axis=1)


def audit_shortcuts(
    shortcut_features: pd.DataFrame, scores: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Measure how well each set of properties alone predicts the class, beside the network.

    Args:
        shortcut_features: One row an image of every split.
        scores: The network's probabilities of validation and test.
        parameters: `resamples`, `seed`.

    Returns:
        predictor, images, auc, low, high, n, n_groups. `images` is "train + val, cross-validated" or "test,
        fitted on train + val" for a set of properties, "val" or "test" for the network.
    """
    known = shortcut_features[shortcut_features["split"] != "test"]
    test = shortcut_features[shortcut_features["split"] == "test"]
    known_target = known["target"].to_numpy()
    rows = []
    for name, columns in FEATURE_SETS.items():
        features, groups = known[columns].to_numpy(), known["group"].to_numpy()
        crossed = cross_validated_scores(features, known_target, groups, parameters.seed)
        rows.append(_auc_row(name, "train + val, cross-validated", known, crossed, parameters))
        held_out = held_out_scores(features, known_target, test[columns].to_numpy())
        rows.append(_auc_row(name, "test, fitted on train + val", test, held_out, parameters))
    for split, part in scores.groupby("split", sort=False):
        rows.append(_auc_row("The network", str(split), part, part["probability"].to_numpy(), parameters))
    return pd.DataFrame(rows)


def _auc_row(
    predictor: str, images: str, rows: pd.DataFrame, scores: Floats, parameters: EvaluationParameters
) -> dict[str, Any]:
    groups = rows["group"].to_numpy()
    auc = estimate_auc(rows["target"].to_numpy(), scores, groups, parameters.resamples, parameters.seed)
    return {
        "predictor": predictor,
        "images": images,
        "auc": auc["value"],
        "low": auc["low"],
        "high": auc["high"],
        "n": len(rows),
        "n_groups": len(np.unique(groups)),
    }


def hide_regions(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    scores: pd.DataFrame,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Measure the network's AUC on test with the centre hidden, and with all but the centre hidden.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row an image.
        pixel_store: Decoded images.
        scores: Probabilities of the whole images.
        parameters: `hidden_side`, `batch_size`, `resamples`, `seed`.

    Returns:
        predictor ("whole image", "centre hidden", "border hidden"), images, auc, low, high, n, n_groups.
    """
    test = split_manifest[split_manifest["split"] == "test"]
    store = open_pixels(pixel_store, pneumonia_model.lineage)
    rows = []
    for name, part in VIEWS.items():
        if part is None:
            seen = scores[scores["split"] == "test"]
            rows.append(_auc_row(name, "test", seen, seen["probability"].to_numpy(), parameters))
            continue

        def change(images: Pixels, part: str = part) -> Pixels:
            return hide(images, parameters.hidden_side, part)

        probability = predict_stored(pneumonia_model, store, test["sha256"], parameters.batch_size, change)
        rows.append(_auc_row(name, "test", test, probability, parameters))
    return pd.DataFrame(rows)


def measure_robustness(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    predictions: pd.DataFrame,
    decision: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Measure the network on test images damaged in several ways, at three strengths.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row an image.
        pixel_store: Decoded images.
        predictions: What the network says of the undamaged images.
        decision: The record by which probabilities become decisions.
        parameters: `robustness`, `robustness_images`, `batch_size`, `resamples`, `seed`.

    Returns:
        kind, strength (0: undamaged), auc, low, high, sensitivity, specificity, n, n_groups. No row where the
        parameter `robustness` is off.
    """
    from pneumonia.audits.corruption import KINDS, STRENGTHS, corrupt

    columns = ["kind", "strength", "auc", "low", "high", "sensitivity", "specificity", "n", "n_groups"]
    if not parameters.robustness:
        return pd.DataFrame(columns=columns)
    test = split_manifest[split_manifest["split"] == "test"]
    sample = test.sample(min(parameters.robustness_images, len(test)), random_state=parameters.seed).sort_index()
    store = open_pixels(pixel_store, pneumonia_model.lineage)
    clean = predictions.set_index("path").loc[sample["path"], "probability"].to_numpy()
    rows = [_damage_row("none", 0, sample, clean, decision, parameters)]
    for kind in KINDS:
        for strength in STRENGTHS:

            def change(images: Pixels, kind: str = kind, strength: int = strength) -> Pixels:
                return corrupt(images[..., 0], kind, strength, parameters.seed)[..., None]

            probability = predict_stored(pneumonia_model, store, sample["sha256"], parameters.batch_size, change)
            rows.append(_damage_row(kind, strength, sample, probability, decision, parameters))
    return pd.DataFrame(rows)[columns]


def _damage_row(
    kind: str,
    strength: int,
    images: pd.DataFrame,
    probability: Floats,
    decision: dict[str, Any],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    decided = apply_decision(images.assign(probability=probability), decision)
    right = decided["decision"] == decided["target"]
    return {
        **_auc_row(kind, "test", images, probability, parameters),
        "kind": kind,
        "strength": strength,
        "sensitivity": float(right[decided["target"] == 1].mean()),
        "specificity": float(right[decided["target"] == 0].mean()),
    }
