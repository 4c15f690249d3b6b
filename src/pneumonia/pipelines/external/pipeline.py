"""The external pipeline: index, exclude what the model knows, score, measure, draw, report."""

from kedro.pipeline import Pipeline

from pneumonia.audits import external
from pneumonia.audits.known_images import describe_origin, list_known, refuse_known
from pneumonia.metrics.intervals import plan_test
from pneumonia.pipelines import node, stage
from pneumonia.pipelines.external.figures import draw_external_calibration, draw_external_roc, draw_external_scores
from pneumonia.predictor.predictor import TrainedModel
from pneumonia.report.external import ExternalMaterial, write_external_report


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "external",
        node(
            external.index_external,
            ["external_images", "index_cache", "params:ingest", "params:labels", "params:external"],
            "external_files",
        ),
        node(list_known, ["split_manifest", "image_index", "model_lineage"], "known_images"),
        node(
            refuse_known,
            ["external_files", "external_images", "known_images", "pixel_store", "model_lineage", "params:ingest"],
            "external_index",
        ),
        node(
            external.predict_external,
            {
                "external_images": "external_images",
                "external_index": "external_index",
                "ingest": "params:ingest",
                "prediction": "params:prediction",
                **{name: name for name in TrainedModel.__annotations__},
            },
            "external_predictions",
        ),
        node(
            describe_origin, ["external_index", "known_images", "external_images", "params:external"], "external_origin"
        ),
        node(
            external.measure_external,
            ["external_predictions", "decision", "params:evaluation", "params:external", "external_origin"],
            "external_metrics",
        ),
        node(
            external.fit_external_point,
            ["external_predictions", "external_origin", "decision", "params:evaluation", "params:external"],
            ["external_point", "operating_point"],
        ),
        node(plan_test, "external_predictions", "external_planning"),
        node(external.measure_attributes, "external_predictions", ["external_subgroups", "external_differences"]),
        node(
            external.audit_external,
            ["external_predictions", "external_index", "external_images", "model_lineage", "params:evaluation"],
            "external_shortcuts",
        ),
        node(
            draw_external_roc,
            ["external_predictions", "predictions", "external_metrics", "metrics"],
            "external_roc_figure",
        ),
        node(draw_external_scores, ["external_predictions", "predictions", "external_origin"], "external_score_figure"),
        node(
            draw_external_calibration,
            ["external_predictions", "predictions", "external_origin"],
            "external_calibration_figure",
        ),
        node(
            write_external_report,
            {"report": "params:report", **{name: name for name in ExternalMaterial.__annotations__}},
            "external_report",
        ),
    )
