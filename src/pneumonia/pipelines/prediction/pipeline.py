"""The prediction pipeline: score, draw maps, report."""

from kedro.pipeline import Pipeline

from pneumonia.audits.known_images import count_own
from pneumonia.metrics.operating_points import choose_operating_point
from pneumonia.pipelines import node, stage
from pneumonia.predictor.predictor import TrainedModel, predict_images
from pneumonia.report.predictions import draw_new_maps, write_prediction_report


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "prediction",
        node(choose_operating_point, ["decision", "operating_points", "params:prediction.place"], "chosen_decision"),
        node(
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
        ),
        node(
            draw_new_maps,
            ["new_images", "pneumonia_model", "model_lineage", "new_predictions", "params:prediction"],
            "new_maps",
        ),
        node(count_own, ["new_predictions", "split_manifest", "model_lineage"], "own_among_new"),
        node(
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
        ),
    )
