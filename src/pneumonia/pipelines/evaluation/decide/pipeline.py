"""From scores to decisions."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.evaluation.decide.nodes import apply_decision, make_decision


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=make_decision,
                inputs=["scores", "checked_lineage", "params:evaluation"],
                outputs="decision",
                name="make_decision",
            ),
            Node(
                func=apply_decision,
                inputs=["scores", "decision"],
                outputs="predictions",
                name="decide",
            ),
            Node(
                func=apply_decision,
                inputs=["train_scores", "decision"],
                outputs="train_predictions",
                name="decide_train_sample",
            ),
        ]
    )
