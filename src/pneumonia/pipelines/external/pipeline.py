"""The external pipeline: index, exclude what the model knows, score, measure, draw, report."""

from kedro.pipeline import Node, Pipeline

from pneumonia.audits.external import (
    audit_external,
    fit_external_point,
    index_external,
    measure_attributes,
    measure_external,
    plan_external,
    predict_external,
)
from pneumonia.audits.known_images import describe_origin, list_known, refuse_known
from pneumonia.pipelines.external.figures import draw_external_calibration, draw_external_roc, draw_external_scores
from pneumonia.predictor.predictor import TrainedModel
from pneumonia.report.external import write_external_report

REPORTED = (
    "external_index",
    "external_predictions",
    "external_metrics",
    "external_subgroups",
    "external_differences",
    "external_shortcuts",
    "external_planning",
    "external_point",
    "external_roc_figure",
    "external_score_figure",
    "external_calibration_figure",
    "metrics",
    "predictions",
    "decision",
    "model_lineage",
    "run_context",
)


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=index_external,
                inputs=["external_images", "index_cache", "params:ingest", "params:labels", "params:external"],
                outputs="external_files",
                name="index_external",
            ),
            Node(
                func=list_known,
                inputs=["split_manifest", "image_index", "model_lineage"],
                outputs="known_images",
                name="list_known",
            ),
            Node(
                func=refuse_known,
                inputs=[
                    "external_files",
                    "external_images",
                    "known_images",
                    "pixel_store",
                    "model_lineage",
                    "params:ingest",
                ],
                outputs="external_index",
                name="refuse_known",
            ),
            Node(
                func=predict_external,
                inputs={
                    "external_images": "external_images",
                    "external_index": "external_index",
                    "ingest": "params:ingest",
                    "prediction": "params:prediction",
                    **{name: name for name in TrainedModel.__annotations__},
                },
                outputs="external_predictions",
                name="predict_external",
            ),
            Node(
                func=describe_origin,
                inputs=["external_index", "known_images", "external_images", "params:external"],
                outputs="external_origin",
                name="describe_origin",
            ),
            Node(
                func=measure_external,
                inputs=[
                    "external_predictions",
                    "decision",
                    "params:evaluation",
                    "params:external",
                    "external_origin",
                ],
                outputs="external_metrics",
                name="measure_external",
            ),
            Node(
                func=fit_external_point,
                inputs=[
                    "external_predictions",
                    "external_origin",
                    "decision",
                    "params:evaluation",
                    "params:external",
                ],
                outputs=["external_point", "operating_point"],
                name="fit_external_point",
            ),
            Node(
                func=plan_external,
                inputs="external_predictions",
                outputs="external_planning",
                name="plan_external",
            ),
            Node(
                func=measure_attributes,
                inputs="external_predictions",
                outputs=["external_subgroups", "external_differences"],
                name="measure_attributes",
            ),
            Node(
                func=audit_external,
                inputs=[
                    "external_predictions",
                    "external_index",
                    "external_images",
                    "model_lineage",
                    "params:evaluation",
                ],
                outputs="external_shortcuts",
                name="audit_external",
            ),
            Node(
                func=draw_external_roc,
                inputs=["external_predictions", "predictions", "external_metrics", "metrics"],
                outputs="external_roc_figure",
                name="draw_external_roc",
            ),
            Node(
                func=draw_external_scores,
                inputs=["external_predictions", "predictions", "external_origin"],
                outputs="external_score_figure",
                name="draw_external_scores",
            ),
            Node(
                func=draw_external_calibration,
                inputs=["external_predictions", "predictions", "external_origin"],
                outputs="external_calibration_figure",
                name="draw_external_calibration",
            ),
            Node(
                func=write_external_report,
                inputs={name: name for name in REPORTED},
                outputs="external_report",
                name="write_external_report",
            ),
        ],
        namespace="external",
        prefix_datasets_with_namespace=False,
        tags="external",
    )
