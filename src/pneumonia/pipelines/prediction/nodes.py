"""Nodes that score new images and report on them."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.parameters import IngestParameters, PredictionParameters
from pneumonia.images.examine import Limits
from pneumonia.images.source import ImageSource
from pneumonia.predictor.predictor import Predictor
from pneumonia.report import predictions as pages


def predict_images(
    new_images: ImageSource, ingest: IngestParameters, prediction: PredictionParameters, **trained: Any
) -> pd.DataFrame:
    """Score every image at the address; list unusable ones with the reason.

    Args:
        new_images: The images.
        ingest: What an image may be.
        prediction: The size of a batch.
        trained: The model and what belongs to it, as `Predictor.from_run` takes it.

    Returns:
        One row per image file, by path; see `pneumonia.predictor.predictor.COLUMNS`.

    Raises:
        UserError: If there are no images, or lineage, decision or range belong to another model.
    """
    return Predictor.from_run(**trained).predict(
        new_images,
        batch_size=prediction.batch_size,
        limits=Limits(ingest.min_side, ingest.max_pixels),
        max_file_bytes=ingest.max_file_bytes,
    )


def draw_new_maps(
    new_images: ImageSource,
    pneumonia_model: Model,
    model_lineage: dict[str, Any],
    new_predictions: pd.DataFrame,
    parameters: PredictionParameters,
) -> list[dict[str, Any]]:
    """Draw the most suspicious images with their maps, and some that are out of range."""
    return pages.draw_new_maps(new_images, pneumonia_model, model_lineage, new_predictions, parameters.shown_images)


def write_prediction_report(
    new_predictions: pd.DataFrame,
    new_maps: list[dict[str, Any]],
    model_lineage: dict[str, Any],
    decision: dict[str, Any],
    run_context: dict[str, Any],
) -> str:
    """Write the page on new images: limits, counts, pictures, every image in a table."""
    return pages.write_prediction_report(new_predictions, new_maps, model_lineage, decision, run_context)
