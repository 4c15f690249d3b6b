"""The training pipeline: recipe, fit, describe, draw."""

from kedro.pipeline import Node, Pipeline

from pneumonia.model.recipe import make_recipe
from pneumonia.pipelines.training.figures import draw_training_curves
from pneumonia.pipelines.training.nodes import describe_network, train_network


def describe_model() -> Pipeline:
    """Return the nodes that describe a trained model and its training."""
    return Pipeline(
        [
            Node(describe_network, ["pneumonia_model", "model_lineage"], "model_summary", name="describe_network"),
            Node(draw_training_curves, "training_history", "training_curves_figure", name="draw_training_curves"),
        ]
    )


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                make_recipe,
                ["split_manifest", "class_weights", "params:inputs", "params:model", "params:training"],
                "training_recipe",
                name="make_recipe",
            ),
            Node(
                train_network,
                ["split_manifest", "pixel_store", "training_recipe", "training_state", "params:ingest", "run_context"],
                ["pneumonia_model", "model_lineage", "training_history"],
                name="train_network",
            ),
            describe_model(),
        ],
        namespace="training",
        prefix_datasets_with_namespace=False,
        tags="training",
    )
