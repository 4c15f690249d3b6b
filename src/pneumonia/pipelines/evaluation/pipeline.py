"""The evaluation pipeline: scores, decision, metrics, audits, maps, report."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation import audit_nodes, figures, map_nodes, nodes, report_nodes

IMAGES = ["pneumonia_model", "split_manifest", "pixel_store"]
FIGURES = (
    "class_balance_figure",
    "split_figure",
    "training_curves",
    "metrics_figure",
    "roc_figure",
    "precision_recall_figure",
    "calibration_figure",
    "threshold_figure",
    "confusion_figure",
    "subgroup_figure",
    "score_figure",
    "shortcut_figure",
    "robustness_figure",
)
TABLES = (
    "class_counts",
    "class_weights",
    "data_flow",
    "split_table",
    "leak_audit",
    "rejected_images",
    "training_history",
    "decision",
    "metrics",
    "subgroups",
    "shortcut_audit",
    "region_audit",
    "robustness",
    "gallery_maps",
    "pointing",
    "run_record",
)


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [*_decide(), *_audit(), *_look(), *_draw(), *_report()],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
        tags="evaluation",
    )


def _decide() -> list[Node]:
    """From images to metrics."""
    scoring = [*IMAGES, "model_lineage", "params:evaluation"]
    return [
        Node(nodes.check_model, IMAGES, "model_lineage", name="check_model"),
        Node(nodes.score_images, scoring, "scores", name="score_images"),
        Node(nodes.score_train_sample, scoring, "train_scores", name="score_train_sample"),
        Node(nodes.make_decision, ["scores", "params:evaluation"], "decision", name="make_decision"),
        Node(nodes.apply_decision, ["scores", "decision"], "predictions", name="decide"),
        Node(
            nodes.apply_decision,
            ["train_scores", "decision"],
            "train_predictions",
            name="decide_train_sample",
        ),
        Node(
            nodes.compute_metrics,
            ["predictions", "decision", "params:evaluation"],
            "metrics",
            name="compute_metrics",
        ),
        Node(nodes.tabulate_metrics, "metrics", "metrics_table", name="tabulate_metrics"),
        Node(
            nodes.measure_subgroups,
            ["predictions", "params:evaluation"],
            "subgroups",
            name="measure_subgroups",
        ),
    ]


def _audit() -> list[Node]:
    """What else could explain the result."""
    return [
        Node(
            audit_nodes.describe_shortcuts,
            ["split_manifest", "pixel_store", "model_lineage"],
            "shortcut_features",
            name="describe_shortcuts",
        ),
        Node(
            audit_nodes.audit_shortcuts,
            ["shortcut_features", "scores", "params:evaluation"],
            "shortcut_audit",
            name="audit_shortcuts",
        ),
        Node(
            audit_nodes.hide_regions,
            [*IMAGES, "scores", "params:evaluation"],
            "region_audit",
            name="hide_regions",
        ),
        Node(
            audit_nodes.measure_robustness,
            [*IMAGES, "predictions", "decision", "params:evaluation"],
            "robustness",
            name="measure_robustness",
        ),
    ]


def _look() -> list[Node]:
    """Where the network looks."""
    return [
        Node(map_nodes.choose_gallery, ["predictions", "params:evaluation"], "gallery", name="choose_gallery"),
        Node(map_nodes.draw_gallery_maps, [*IMAGES, "gallery"], "gallery_maps", name="draw_gallery_maps"),
        Node(map_nodes.draw_gallery, "gallery_maps", "gallery_figure", name="draw_gallery"),
        Node(map_nodes.read_lesions, ["chest_xrays", "split_manifest"], "lesions", name="read_lesions"),
        Node(
            map_nodes.measure_pointing,
            [*IMAGES, "lesions", "model_lineage", "params:evaluation"],
            "pointing",
            name="measure_pointing",
        ),
    ]


def _draw() -> list[Node]:
    """The figures."""
    curves = ["predictions", "metrics", "params:evaluation"]
    drawn: list[tuple[Callable[..., Any], str | list[str], str]] = [
        (figures.draw_metrics, "metrics", "metrics_figure"),
        (figures.draw_roc, curves, "roc_figure"),
        (figures.draw_precision_recall, curves, "precision_recall_figure"),
        (figures.draw_calibration, ["predictions", "metrics"], "calibration_figure"),
        (figures.draw_thresholds, ["predictions", "decision"], "threshold_figure"),
        (figures.draw_confusion, "predictions", "confusion_figure"),
        (figures.draw_subgroups, "subgroups", "subgroup_figure"),
        (figures.draw_scores, ["predictions", "train_predictions"], "score_figure"),
        (figures.draw_shortcuts, ["shortcut_audit", "region_audit"], "shortcut_figure"),
        (figures.draw_robustness, "robustness", "robustness_figure"),
    ]
    return [Node(func, inputs, output, name=func.__name__) for func, inputs, output in drawn]


def _report() -> list[Node]:
    """The run's record, the report and the model card."""
    return [
        Node(
            report_nodes.record_run,
            ["run_context", "parameters", "split_manifest", "model_lineage"],
            "run_record",
            name="record_run",
        ),
        Node(
            report_nodes.write_report,
            {name: name for name in (*FIGURES, *TABLES)},
            "report",
            name="write_report",
            tags="report",
        ),
        Node(
            report_nodes.write_model_card,
            {name: name for name in (*TABLES, "model_summary")},
            "model_card",
            name="write_model_card",
            tags="report",
        ),
    ]
