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
                func=choose_operating_point,
                inputs=["decision", "operating_points", "params:prediction.place"],
                outputs="chosen_decision",
                name="choose_operating_point",
            ),
            Node(
                func=predict_images,
                inputs={
                    "new_images": "new_images",
                    "ingest": "params:ingest",
                    "prediction": "params:prediction",
                    "scoring_ledger": "scoring_ledger",
                    **{name: name for name in TrainedModel.__annotations__},
                    "decision": "chosen_decision",
                },
                outputs="new_predictions",
                name="predict_images",
            ),
            Node(
                func=draw_new_maps,
                inputs=["new_images", "pneumonia_model", "model_lineage", "new_predictions", "params:prediction"],
                outputs="new_maps",
                name="draw_new_maps",
            ),
            Node(
                func=count_own,
                inputs=["new_predictions", "split_manifest", "model_lineage"],
                outputs="own_among_new",
                name="count_own",
            ),
            Node(
                func=write_prediction_report,
                inputs=[
                    "new_predictions",
                    "new_maps",
                    "model_lineage",
                    "chosen_decision",
                    "run_context",
                    "own_among_new",
                ],
                outputs="prediction_report",
                name="write_prediction_report",
            ),
        ],
        namespace="prediction",
        prefix_datasets_with_namespace=False,
        tags="prediction",
    )
