"""Nodes of the training pipeline."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.parameters import Parameters
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.model.lineage import check_class_weights, make_lineage, weights_digest
from pneumonia.model.recipe import make_recipe
from pneumonia.pixels.store import PixelStores


def train_network(
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    class_weights: dict[str, float],
    training_state: TrainingStates,
    run_context: dict[str, Any],
    parameters: dict[str, Any],
) -> tuple[Model, dict[str, Any], pd.DataFrame]:
    """Train a network on the train images, validated on the val images. The test images are not read.

    Args:
        split_manifest: One row per image.
        pixel_store: Has the pixels of every image of the manifest.
        class_weights: Weight of a training image in the loss, by label.
        training_state: Where an unfinished training is kept, and where TensorBoard's logs go.
        run_context: Identifies the run and its commit.
        parameters: All of them; `inputs`, `model` and `training` are the recipe.

    Returns:
        The network with the weights of its best epoch, under the float32 policy; its lineage; and the history: one row
        per epoch, with the metrics of train and val (`val_...`) and the number of the `member`. With `training.members`
        above 1, the model averages that many networks, and `val_...` are measured on the member's own fold of train. If
        training mirrors images, the model also averages over the image and its mirror image; the history's `val_...` do
        not.

    Raises:
        UserError: If interrupted, out of memory, diverged, a GPU is requested but absent, or the class weights belong
            to another split.
    """
    from pneumonia.model.fit import train

    given = Parameters.model_validate(parameters)
    check_class_weights(class_weights, split_manifest)
    recipe = make_recipe(given, class_weights, split_manifest)
    store = pixel_store.open(given.inputs.image_size, given.inputs.resize)
    trained = train(split_manifest, store, recipe, training_state)
    lineage = make_lineage(split_manifest, store, recipe, given.ingest, run_context)
    weights = {"weights_sha256": weights_digest(trained.model)}
    return trained.model, {**lineage, **trained.facts, **weights}, trained.history


def describe_network(pneumonia_model: Model) -> str:
    """Return the layers of a network as a table, with the number of its parameters."""
    lines: list[str] = []
    pneumonia_model.summary(print_fn=lambda line, **_: lines.append(line), line_length=110, expand_nested=True)
    return "\n".join(lines) + "\n"
