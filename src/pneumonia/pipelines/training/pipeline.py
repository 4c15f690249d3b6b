"""The training pipeline: recipe, fit, describe, draw."""

from kedro.pipeline import Pipeline

from pneumonia.model.recipe import make_recipe
from pneumonia.pipelines import node, stage
from pneumonia.pipelines.training.nodes import describe_network, draw_training_curves, train_network


def describe_model() -> Pipeline:
    """Return the nodes that describe a trained model and its training."""
    return Pipeline(
        [
            node(describe_network, ["pneumonia_model", "model_lineage"], "model_summary"),
            node(draw_training_curves, "training_history", "training_curves_figure"),
        ]
    )


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "training",
        node(
            make_recipe,
            [
                *("split_manifest", "class_weights", "params:inputs", "params:model", "params:training"),
                "trained_models",
            ],
            "training_recipe",
        ),
        node(
            train_network,
            ["split_manifest", "pixel_store", "training_recipe", "training_state", "params:ingest", "run_context"],
            ["pneumonia_model", "model_lineage", "training_history"],
        ),
        describe_model(),
    )
