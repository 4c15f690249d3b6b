"""From decisions to their value at other prevalences."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.usefulness.figures import draw_decision_curve
from pneumonia.pipelines.evaluation.usefulness.nodes import tabulate_shifts, trace_decision_curve


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=tabulate_shifts,
                inputs=["decision", "params:evaluation"],
                outputs="shifted_probabilities",
                name="tabulate_shifts",
            ),
            Node(
                func=trace_decision_curve,
                inputs=["predictions", "decision", "params:evaluation"],
                outputs="decision_curve",
                name="trace_decision_curve",
            ),
            Node(
                func=draw_decision_curve,
                inputs=["decision_curve", "params:evaluation"],
                outputs="decision_curve_figure",
                name="draw_decision_curve",
            ),
        ]
    )
