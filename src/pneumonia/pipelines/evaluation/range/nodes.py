"""Nodes that fit the range of a model and check it on artificial images."""

from typing import Any

import pandas as pd

from pneumonia.audits import range_check
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.store import PixelStores
from pneumonia.predictor import describing


def fit_image_range(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Describe what the training images look like, with a bound that 1% of the validation images exceed."""
    store = open_pixels(pixel_store, model_lineage)
    return describing.fit_image_range(pneumonia_model, split_manifest, store, parameters.batch_size)


def check_range(
    pneumonia_model: Model,
    image_range: dict[str, Any],
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Measure how many artificial images of each kind, and how many test images, are found out of range."""
    store = open_pixels(pixel_store, model_lineage)
    return range_check.check_range(pneumonia_model, image_range, split_manifest, store, parameters)
