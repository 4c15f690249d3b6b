"""The export pipeline: convert, compare, complete."""

from kedro.pipeline import Pipeline

from pneumonia.metrics.operating_points import choose_operating_point
from pneumonia.pipelines import node, stage
from pneumonia.pipelines.export.nodes import complete_export, convert_model, measure_parity
from pneumonia.predictor.predictor import TrainedModel

TRAINED = {name: name for name in TrainedModel.__annotations__} | {"decision": "chosen_decision"}
COMPLETED_BY = ("export_candidate", "export_parity", "metrics", "run_record", "external_records")


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "export",
        node(choose_operating_point, ["decision", "operating_points", "params:prediction.place"], "chosen_decision"),
        node(convert_model, TRAINED, "export_candidate"),
        node(
            measure_parity,
            {name: name for name in ("export_candidate", "split_manifest", "pixel_store")} | TRAINED,
            "export_parity",
        ),
        node(complete_export, {name: name for name in COMPLETED_BY} | TRAINED, "exported_model"),
    )
