"""Nodes that test a frozen model elsewhere."""

from typing import Any

import pandas as pd

from pneumonia.audits import external as elsewhere
from pneumonia.audits.known_images import find_known
from pneumonia.base.parameters import (
    EvaluationParameters,
    ExternalParameters,
    IngestParameters,
    LabelsParameters,
    PredictionParameters,
)
from pneumonia.images.cache import IndexCache
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource
from pneumonia.model.lineage import check_lineage
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.store import PixelStores
from pneumonia.predictor.predictor import Predictor
from pneumonia.predictor.reading import reading_of
from pneumonia.report import external as page


def index_external(
    external_images: ImageSource,
    index_cache: IndexCache,
    ingest: IngestParameters,
    labels: LabelsParameters,
    external: ExternalParameters,
) -> pd.DataFrame:
    """Read every image labelled by its folder or by a table to its end; copies and unusable files are marked."""
    labelled = with_labels(external_images, ingest, labels)
    return elsewhere.index_external(labelled, index_cache, ingest, external)


def list_known(split_manifest: pd.DataFrame, image_index: pd.DataFrame, model_lineage: dict[str, Any]) -> pd.DataFrame:
    """List the images that the model was trained, validated and tested on.

    Returns:
        path, sha256, split and perceptual_hash (empty where it is not known).

    Raises:
        UserError: If the manifest is not the model's.
    """
    check_lineage(model_lineage, split_manifest)
    hashes = image_index.drop_duplicates("sha256").set_index("sha256")["perceptual_hash"]
    known = split_manifest[["path", "sha256", "split"]]
    return known.assign(perceptual_hash=known["sha256"].map(hashes).fillna(""))


def refuse_known(
    external_files: pd.DataFrame,
    external_images: ImageSource,
    known_images: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: dict[str, Any],
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Take out of the test what the model was trained or validated on, found by bytes and by pixels.

    Raises:
        UserError: If nothing else is left.
    """
    usable = external_files[external_files["status"] == "ok"]
    items = elsewhere.list_items(external_images)
    store = open_pixels(pixel_store, model_lineage)
    found = find_known(usable, items, known_images, store, reading_of(model_lineage), parameters)
    return elsewhere.mark_known(external_files, found)


def predict_external(
    external_images: ImageSource,
    external_index: pd.DataFrame,
    ingest: IngestParameters,
    prediction: PredictionParameters,
    **trained: Any,
) -> pd.DataFrame:
    """Judge the usable images by the frozen model, calibration and threshold: what `Predictor.from_run` takes."""
    predictor = Predictor.from_run(**trained)
    return elsewhere.predict_external(
        predictor, external_images, external_index, ingest.positive_class, prediction.batch_size
    )


def measure_external(
    external_predictions: pd.DataFrame,
    decision: dict[str, Any],
    evaluation: EvaluationParameters,
    external: ExternalParameters,
) -> dict[str, Any]:
    """Measure every metric with its interval, on all images and on those in range."""
    return elsewhere.measure_external(external_predictions, decision, evaluation, external)


def measure_attributes(
    external_predictions: pd.DataFrame, decision: dict[str, Any], parameters: EvaluationParameters
) -> pd.DataFrame:
    """Measure age bands, sex, view and device apart, where the source names them."""
    return elsewhere.measure_attributes(external_predictions, decision, parameters)


def audit_external(
    external_predictions: pd.DataFrame,
    external_index: pd.DataFrame,
    external_images: ImageSource,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Measure how well properties of files and borders alone tell the classes apart there."""
    how = reading_of(model_lineage)
    return elsewhere.audit_external(external_predictions, external_index, external_images, how, parameters)


def write_external_report(**material: Any) -> str:
    """Write the page on the other place: verdict, what speaks against it, metrics beside those of our test."""
    return page.write_external_report(**material)
