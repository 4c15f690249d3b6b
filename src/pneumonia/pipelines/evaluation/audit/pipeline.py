"""What else could explain the result."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.audit.figures import draw_framings, draw_robustness, draw_shortcuts
from pneumonia.pipelines.evaluation.audit.nodes import (
    audit_shortcuts,
    damage_images,
    describe_shortcuts,
    hide_regions,
    measure_framings,
    measure_regions,
    measure_robustness,
    reframe_images,
    score_rims,
)


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=describe_shortcuts,
                inputs=["split_manifest", "pixel_store", "checked_lineage"],
                outputs="shortcut_features",
                name="describe_shortcuts",
            ),
            Node(
                func=score_rims,
                inputs=["split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="rim_scores",
                name="score_rims",
            ),
            Node(
                func=audit_shortcuts,
                inputs=["shortcut_features", "rim_scores", "scores", "params:evaluation"],
                outputs="shortcut_audit",
                name="audit_shortcuts",
            ),
            Node(
                func=hide_regions,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="hidden_scores",
                name="hide_regions",
            ),
            Node(
                func=measure_regions,
                inputs=["hidden_scores", "scores"],
                outputs="region_audit",
                name="measure_regions",
            ),
            Node(
                func=reframe_images,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="framing_scores",
                name="reframe_images",
            ),
            Node(
                func=measure_framings,
                inputs=["framing_scores", "decision"],
                outputs="framing_audit",
                name="measure_framings",
            ),
            Node(
                func=damage_images,
                inputs=["pneumonia_model", "split_manifest", "pixel_store", "checked_lineage", "params:evaluation"],
                outputs="damaged_scores",
                name="damage_images",
            ),
            Node(
                func=measure_robustness,
                inputs=["damaged_scores", "predictions", "decision"],
                outputs="robustness",
                name="measure_robustness",
            ),
            Node(
                func=draw_shortcuts,
                inputs=["shortcut_audit", "region_audit"],
                outputs="shortcut_figure",
                name="draw_shortcuts",
            ),
            Node(
                func=draw_framings,
                inputs="framing_audit",
                outputs="framing_figure",
                name="draw_framings",
            ),
            Node(
                func=draw_robustness,
                inputs="robustness",
                outputs="robustness_figure",
                name="draw_robustness",
            ),
        ]
    )
