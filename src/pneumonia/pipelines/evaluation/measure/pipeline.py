"""From decisions to metrics and their figures."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.measure.figures import (
    draw_calibration,
    draw_confusion,
    draw_metrics,
    draw_precision_recall,
    draw_roc,
    draw_scores,
    draw_subgroups,
    draw_thresholds,
)
from pneumonia.pipelines.evaluation.measure.nodes import (
    compute_metrics,
    count_etiologies,
    measure_strata,
    measure_subgroups,
    measure_units,
    tabulate_metrics,
    tabulate_prevalences,
)


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=compute_metrics,
                inputs=["predictions", "decision", "params:evaluation"],
                outputs="metrics",
                name="compute_metrics",
            ),
            Node(
                func=tabulate_metrics,
                inputs="metrics",
                outputs="metrics_table",
                name="tabulate_metrics",
            ),
            Node(
                func=measure_subgroups,
                inputs="predictions",
                outputs="subgroups",
                name="measure_subgroups",
            ),
            Node(
                func=count_etiologies,
                inputs="predictions",
                outputs="etiology_confusion",
                name="count_etiologies",
            ),
            Node(
                func=measure_units,
                inputs=["predictions", "split_manifest", "duplicate_images", "decision", "params:evaluation"],
                outputs="unit_metrics",
                name="measure_units",
            ),
            Node(
                func=measure_strata,
                inputs=["predictions", "split_manifest"],
                outputs="strata",
                name="measure_strata",
            ),
            Node(
                func=tabulate_prevalences,
                inputs="predictions",
                outputs="predictive_values",
                name="tabulate_prevalences",
            ),
            Node(
                func=draw_metrics,
                inputs="metrics",
                outputs="metrics_figure",
                name="draw_metrics",
            ),
            Node(
                func=draw_roc,
                inputs=["predictions", "metrics", "params:evaluation"],
                outputs="roc_figure",
                name="draw_roc",
            ),
            Node(
                func=draw_precision_recall,
                inputs=["predictions", "metrics", "params:evaluation"],
                outputs="precision_recall_figure",
                name="draw_precision_recall",
            ),
            Node(
                func=draw_calibration,
                inputs=["predictions", "metrics"],
                outputs="calibration_figure",
                name="draw_calibration",
            ),
            Node(
                func=draw_thresholds,
                inputs=["predictions", "decision"],
                outputs="threshold_figure",
                name="draw_thresholds",
            ),
            Node(
                func=draw_confusion,
                inputs="predictions",
                outputs="confusion_figure",
                name="draw_confusion",
            ),
            Node(
                func=draw_subgroups,
                inputs="subgroups",
                outputs="subgroup_figure",
                name="draw_subgroups",
            ),
            Node(
                func=draw_scores,
                inputs=["predictions", "train_predictions"],
                outputs="score_figure",
                name="draw_scores",
            ),
        ]
    )
