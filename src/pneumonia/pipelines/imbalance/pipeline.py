"""The imbalance pipeline: counts, weights, figure."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.imbalance.figures import draw_class_balance
from pneumonia.split.classes import count_classes, weigh_classes


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(count_classes, inputs="split_manifest", outputs="class_counts", name="count_classes"),
            Node(
                weigh_classes,
                inputs=["class_counts", "params:imbalance"],
                outputs="class_weights",
                name="weigh_classes",
            ),
            Node(
                draw_class_balance,
                inputs=["class_counts", "class_weights"],
                outputs="class_balance_figure",
                name="draw_class_balance",
            ),
        ],
        namespace="imbalance",
        prefix_datasets_with_namespace=False,
        tags="imbalance",
    )
