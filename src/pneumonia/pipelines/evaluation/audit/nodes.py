"""Nodes that ask what else could explain the result: shortcuts, hidden regions, corrupted images."""

from typing import Any

import pandas as pd

from pneumonia.audits import framing_audit, regions, rim_network, shortcut_audit, shortcuts
from pneumonia.audits import robustness as damage
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.store import PixelStores


def describe_shortcuts(
    split_manifest: pd.DataFrame, pixel_store: PixelStores, model_lineage: dict[str, Any]
) -> pd.DataFrame:
    """Describe each image by its file, its grey levels, its borders and its sharpness."""
    return shortcuts.describe_shortcuts(split_manifest, open_pixels(pixel_store, model_lineage))


def score_rims(
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Train a small network on the rims of the train images and predict those of validation and test."""
    return rim_network.score_rims(split_manifest, open_pixels(pixel_store, model_lineage), parameters)


def audit_shortcuts(
    shortcut_features: pd.DataFrame, rim_scores: pd.DataFrame, scores: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Measure how well each shortcut alone predicts the class, compared with the network."""
    return shortcut_audit.audit_shortcuts(shortcut_features, rim_scores, scores, parameters)


def hide_regions(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict the test images with the centre hidden, and with all but the centre hidden."""
    store = open_pixels(pixel_store, model_lineage)
    return regions.score_hidden(pneumonia_model, split_manifest, store, parameters)


def measure_regions(hidden_scores: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Measure the network's AUC on test for each view of the images."""
    return regions.measure_regions(hidden_scores, scores)


def damage_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict test images corrupted in several ways, at three strengths."""
    store = open_pixels(pixel_store, model_lineage)
    return damage.score_damaged(pneumonia_model, split_manifest, store, parameters)


def measure_robustness(
    damaged_scores: pd.DataFrame, predictions: pd.DataFrame, decision: dict[str, Any]
) -> pd.DataFrame:
    """Measure the network on the corrupted images and on the same images unmodified."""
    return damage.measure_robustness(damaged_scores, predictions, decision)


def reframe_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict validation images cut, widened and zoomed."""
    store = open_pixels(pixel_store, model_lineage)
    return framing_audit.score_validation(pneumonia_model, split_manifest, store, parameters)


def measure_framings(framing_scores: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Measure the network on validation images whose framing says nothing about their class, or misleads."""
    return framing_audit.measure_framings(framing_scores, decision)
