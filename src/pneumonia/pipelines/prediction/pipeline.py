"""The prediction pipeline: score, draw maps, report."""

from kedro.pipeline import Node, Pipeline

from pneumonia.audits.known_images import count_own
from pneumonia.metrics.operating_points import choose_operating_point
from pneumonia.predictor.predictor import TrainedModel, predict_images
from pneumonia.report.predictions import draw_new_maps, write_prediction_report


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
            Node(
                predict_images,
                {
                    "new_images": "new_images",
                    "ingest": "params:ingest",
                    "prediction": "params:prediction",
                    "scoring_ledger": "scoring_ledger",
                    **{name: name for name in TrainedModel.__annotations__},
                    "decision": "chosen_decision",
                },
                "new_predictions",
                name="predict_images",
            ),
            Node(
                draw_new_maps,
                ["new_images", "pneumonia_model", "model_lineage", "new_predictions", "params:prediction"],
                "new_maps",
                name="draw_new_maps",
            ),
            Node(count_own, ["new_predictions", "split_manifest", "model_lineage"], "own_among_new", name="count_own"),
            Node(
                write_prediction_report,
                {
                    "predictions": "new_predictions",
                    "maps": "new_maps",
                    "lineage": "model_lineage",
                    "decision": "chosen_decision",
                    "own": "own_among_new",
                    "report": "params:report",
                    "run_context": "run_context",
                },
                "prediction_report",
                name="write_prediction_report",
            ),
        ],
        namespace="prediction",
        prefix_datasets_with_namespace=False,
        tags="prediction",
    )
