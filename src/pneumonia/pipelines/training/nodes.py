"""Nodes of the training pipeline that are more than one function of the domain."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.environment import RunContext
from pneumonia.base.parameters import IngestParameters
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.model.lineage import Lineage, make_lineage, weights_digest
from pneumonia.model.recipe import Recipe
from pneumonia.pixels.store import PixelStores


def train_network(
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    training_recipe: Recipe,
    training_state: TrainingStates,
    ingest: IngestParameters,
    run_context: RunContext,
) -> tuple[Model, dict[str, Any], pd.DataFrame]:
    """Train a network on the train images, validated on the val images. The test images are not read.

    The steps are those of `pneumonia.model.fit.fit_epochs`: input (shuffle, batch, augment, weigh by class, prefetch),
    network, compilation, fit.

    Args:
        split_manifest: One row per image.
        pixel_store: Has the pixels of every image of the manifest.
        training_recipe: How it is trained.
        training_state: Where an unfinished training is kept, and where TensorBoard's logs go.
        ingest: How the images were found and split, for the lineage.
        run_context: Identifies the run and its commit.

    Returns:
        The network with the weights of its best epoch, under the float32 policy; its lineage; and the history: one row
        per epoch, with the metrics of train and val (`val_...`) and the number of the `member`. With `training.members`
        above 1, the model averages that many networks, and `val_...` are measured on the member's own fold of train. If
        training mirrors images, the model also averages over the image and its mirror image; the history's `val_...` do
        not.

    Raises:
        UserError: If interrupted, out of memory, diverged, or a GPU is requested but absent.
    """
    from pneumonia.model.fit import train

    store = pixel_store.open(training_recipe.inputs.image_size, training_recipe.inputs.resize)
    trained = train(split_manifest, store, training_recipe, training_state)
    lineage = make_lineage(split_manifest, store, training_recipe, ingest, run_context)
    weights = {"weights_sha256": weights_digest(trained.model)}
    return trained.model, {**lineage, **trained.facts, **weights}, trained.history


def describe_network(pneumonia_model: Model, model_lineage: Lineage) -> str:
    """Describe a network: its layers with the number of its parameters, and with what it was compiled."""
    lines: list[str] = []
    pneumonia_model.summary(print_fn=lambda line, **_: lines.append(line), line_length=110, expand_nested=True)
    compilation = [f"{name.replace('_', ' ')}: {value}" for name, value in model_lineage.get("compilation", {}).items()]
    return "\n".join([*lines, "Compiled for training with", *compilation]) + "\n"
