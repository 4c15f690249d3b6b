"""Nodes that show where the network looks: maps of chosen images, hits on known lesions."""

from typing import Any

import pandas as pd

from pneumonia.audits import pointing
from pneumonia.base.annotations import Figure, Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.images.source import ImageSource
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.store import PixelStores
from pneumonia.report import gallery as pictures


def choose_gallery(predictions: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Choose test images to look at: right ones of both classes, false alarms, misses; most confident first."""
    return pictures.choose_gallery(predictions, parameters)


def draw_gallery_maps(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    gallery: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Overlay the map of what supports the positive class on each chosen image."""
    store = open_pixels(pixel_store, model_lineage)
    return pictures.draw_gallery_maps(pneumonia_model, split_manifest, store, gallery)


def draw_gallery(gallery_maps: list[dict[str, Any]]) -> Figure:
    """Draw the gallery as one figure."""
    return pictures.draw_gallery(gallery_maps)


def read_lesions(chest_xrays: ImageSource, split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Read the positions of lesions, if the source lists them."""
    return pointing.read_lesions(chest_xrays, split_manifest)


def measure_pointing(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    lesions: pd.DataFrame,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure how often the map's peak lies on a known lesion of a positive test image."""
    store, resize = open_pixels(pixel_store, model_lineage), model_lineage["resize"]
    return pointing.measure_pointing(pneumonia_model, split_manifest, store, lesions, resize, parameters)
