"""Nodes that predict each image once."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model import scoring
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.store import PixelStores


def check_model(
    pneumonia_model: Model, model_lineage: dict[str, Any], split_manifest: pd.DataFrame, pixel_store: PixelStores
) -> dict[str, Any]:
    """Refuse a lineage, a manifest or pixels that are not the model's; return the lineage."""
    return scoring.check_model(pneumonia_model, model_lineage, split_manifest, pixel_store)


def score_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict each validation and test image once."""
    store = open_pixels(pixel_store, model_lineage)
    return scoring.score_images(pneumonia_model, split_manifest, store, parameters, model_lineage["etiologies"])


def score_train_sample(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict a random sample of the training images, for comparison with the others."""
    store = open_pixels(pixel_store, model_lineage)
    etiologies = model_lineage["etiologies"]
    return scoring.score_train_sample(pneumonia_model, split_manifest, store, parameters, etiologies)
