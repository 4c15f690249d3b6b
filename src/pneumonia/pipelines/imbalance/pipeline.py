"""The imbalance pipeline: counts, weights, figure."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.imbalance.figures import draw_class_balance
from pneumonia.split.classes import count_classes, weigh_classes


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(count_classes, "split_manifest", "class_counts", name="count_classes"),
            Node(weigh_classes, ["class_counts", "params:imbalance"], "class_weights", name="weigh_classes"),
            Node(
                draw_class_balance, ["class_counts", "class_weights"], "class_balance_figure", name="draw_class_balance"
            ),
        ],
        namespace="imbalance",
        prefix_datasets_with_namespace=False,
        tags="imbalance",
    )
