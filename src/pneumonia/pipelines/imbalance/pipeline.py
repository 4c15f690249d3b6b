"""The imbalance pipeline: counts, weights, figure."""

from kedro.pipeline import Pipeline

from pneumonia.model.recipe import weigh_classes
from pneumonia.pipelines import node, stage
from pneumonia.pipelines.imbalance.figures import draw_class_balance
from pneumonia.split.summary import count_classes


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "imbalance",
        node(count_classes, "split_manifest", "class_counts"),
        node(weigh_classes, ["class_counts", "params:imbalance"], "class_weights"),
        node(draw_class_balance, ["class_counts", "class_weights"], "class_balance_figure"),
    )
