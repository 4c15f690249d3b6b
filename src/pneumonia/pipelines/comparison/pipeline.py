"""The comparison pipeline. It is not part of `kedro run`."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.comparison.figures import draw_comparison
from pneumonia.pipelines.comparison.nodes import compare_runs
from pneumonia.report.comparison import write_comparison_report


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                compare_runs,
                ["all_metrics", "all_run_records", "all_predictions"],
                "run_comparison",
                name="compare_runs",
            ),
            Node(draw_comparison, "run_comparison", "run_comparison_figure", name="draw_comparison"),
            Node(
                write_comparison_report,
                ["run_comparison", "run_comparison_figure", "run_context"],
                "run_comparison_report",
                name="write_comparison_report",
            ),
        ],
        namespace="comparison",
        prefix_datasets_with_namespace=False,
        tags="comparison",
    )
