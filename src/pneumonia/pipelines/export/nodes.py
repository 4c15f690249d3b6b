"""Nodes that convert a model, compare the files with it, and write those that passed."""

from typing import Unpack

import pandas as pd

from pneumonia.audits.external import ExternalMetrics
from pneumonia.export import contract, convert, parity
from pneumonia.metrics.summary import Metrics
from pneumonia.model.lineage import check_lineage
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.store import PixelStores
from pneumonia.predictor.predictor import Predictor, TrainedModel
from pneumonia.report.record import RunRecord


def convert_model(**trained: Unpack[TrainedModel]) -> dict[str, bytes]:
    """Convert the model, with its decision, range and map inside, to every format: contents by path."""
    convert.check_extra()
    return convert.convert_model(Predictor.from_run(**trained))


def measure_parity(
    export_candidate: dict[str, bytes],
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    **trained: Unpack[TrainedModel],
) -> parity.ExportParity:
    """Compare the files with the Keras model on all validation and test images."""
    check_lineage(trained["model_lineage"], split_manifest)
    store = open_pixels(pixel_store, trained["model_lineage"])
    return parity.measure_parity(export_candidate, Predictor.from_run(**trained), split_manifest, store)


def complete_export(
    export_candidate: dict[str, bytes],
    export_parity: parity.ExportParity,
    metrics: Metrics,
    run_record: RunRecord,
    external_records: dict[str, ExternalMetrics],
    **trained: Unpack[TrainedModel],
) -> dict[str, bytes]:
    """Add contract and script to files that passed the parity check.

    Raises:
        UserError: If they did not.
    """
    predictor = Predictor.from_run(**trained)
    results = {"test": metrics["test"], "external": contract.find_external(external_records, predictor.version)}
    return contract.complete(export_candidate, export_parity, predictor, results, run_record)
