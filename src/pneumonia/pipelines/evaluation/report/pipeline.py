"""The run's record, the report and the model card."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.report.nodes import record_run, write_model_card, write_report

FIGURES = (
    "class_balance_figure",
    "split_figure",
    "training_curves_figure",
    "metrics_figure",
    "roc_figure",
    "precision_recall_figure",
    "calibration_figure",
    "threshold_figure",
    "decision_curve_figure",
    "confusion_figure",
    "subgroup_figure",
    "score_figure",
    "shortcut_figure",
    "framing_figure",
    "robustness_figure",
)
TABLES = (
    "class_counts",
    "class_weights",
    "data_flow",
    "split_table",
    "leak_audit",
    "rejected_images",
    "duplicate_images",
    "training_history",
    "decision",
    "metrics",
    "subgroups",
    "etiology_confusion",
    "strata",
    "predictive_values",
    "unit_metrics",
    "shifted_probabilities",
    "shortcut_audit",
    "region_audit",
    "framing_audit",
    "robustness",
    "range_check",
    "gallery_maps",
    "pointing",
    "run_record",
)


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=record_run,
                inputs=["run_context", "parameters", "split_manifest", "checked_lineage", "earlier_run_records"],
                outputs="run_record",
                name="record_run",
            ),
            Node(
                func=write_report,
                inputs={name: name for name in (*TABLES, *FIGURES)},
                outputs="report",
                name="write_report",
                tags="report",
            ),
            Node(
                func=write_model_card,
                inputs={name: name for name in (*TABLES, "model_summary")},
                outputs="model_card",
                name="write_model_card",
                tags="report",
            ),
        ]
    )
