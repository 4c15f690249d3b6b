"""The network's probability of every image that is judged, each predicted once."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model.lineage import check_lineage, check_weights
from pneumonia.model.predict import open_pixels, predict_stored
from pneumonia.pixels.store import PixelStore, PixelStores

SCORED_SPLITS = ("val", "test")
SCORE_COLUMNS = ["path", "group", "label", "target", "etiology", "split"]


def check_model(
    pneumonia_model: Model, model_lineage: dict[str, Any], split_manifest: pd.DataFrame, pixel_store: PixelStores
) -> dict[str, Any]:
    """Refuse a lineage, a manifest or pixels that are not the model's.

    Args:
        pneumonia_model: The trained network.
        model_lineage: What it was made from.
        split_manifest: One row per image.
        pixel_store: Decoded images.

    Returns:
        The lineage.

    Raises:
        UserError: Naming the two that differ.
    """
    check_weights(model_lineage, pneumonia_model, "model_lineage")
    check_lineage(model_lineage, split_manifest)
    open_pixels(pixel_store, model_lineage)
    return model_lineage


def score_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStore,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict each validation and test image once.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row an image.
        pixel_store: Has their pixels.
        parameters: `batch_size`.

    Returns:
        path, group, label, target, etiology, split and the network's `probability` of the positive class.
    """
    chosen = split_manifest[split_manifest["split"].isin(SCORED_SPLITS)]
    return _score(pneumonia_model, chosen, pixel_store, parameters)


def score_train_sample(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStore,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict a random sample of the training images, to show how far the others lie from them.

    Arguments and columns are those of `score_images`; at most `train_images` rows.
    """
    train = split_manifest[split_manifest["split"] == "train"]
    sample = train.sample(min(parameters.train_images, len(train)), random_state=parameters.seed).sort_index()
    return _score(pneumonia_model, sample, pixel_store, parameters)


def _score(model: Model, rows: pd.DataFrame, pixel_store: PixelStore, parameters: EvaluationParameters) -> pd.DataFrame:
    probability = predict_stored(model, pixel_store, rows["sha256"], parameters.batch_size)
    return rows[SCORE_COLUMNS].assign(probability=probability).reset_index(drop=True)
