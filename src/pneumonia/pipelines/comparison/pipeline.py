"""The comparison pipeline. It is not part of `kedro run`."""

from kedro.pipeline import Pipeline

from pneumonia.pipelines import node, stage
from pneumonia.pipelines.comparison.nodes import compare_runs, draw_comparison
from pneumonia.report.comparison import write_comparison_report


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "comparison",
        node(compare_runs, ["all_metrics", "all_run_records", "all_predictions"], "run_comparison"),
        node(draw_comparison, "run_comparison", "run_comparison_figure"),
        node(
            write_comparison_report, ["run_comparison", "run_comparison_figure", "run_context"], "run_comparison_report"
        ),
    )
