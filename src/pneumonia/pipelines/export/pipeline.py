"""The export pipeline: convert, compare, complete."""

from kedro.pipeline import Node, Pipeline

from pneumonia.metrics.operating_points import choose_operating_point
from pneumonia.pipelines.export.nodes import complete_export, convert_model, measure_parity
from pneumonia.predictor.predictor import TrainedModel

TRAINED = {name: name for name in TrainedModel.__annotations__} | {"decision": "chosen_decision"}
COMPLETED_BY = ("export_candidate", "export_parity", "metrics", "run_record", "external_records")


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                choose_operating_point,
                ["decision", "operating_points", "params:prediction.place"],
                "chosen_decision",
                name="choose_operating_point",
            ),
            Node(convert_model, TRAINED, "export_candidate", name="convert_model"),
            Node(
                measure_parity,
                {name: name for name in ("export_candidate", "split_manifest", "pixel_store")} | TRAINED,
                "export_parity",
                name="measure_parity",
            ),
            Node(
                complete_export,
                {name: name for name in COMPLETED_BY} | TRAINED,
                "exported_model",
                name="complete_export",
            ),
        ],
        namespace="export",
        prefix_datasets_with_namespace=False,
        tags="export",
    )
