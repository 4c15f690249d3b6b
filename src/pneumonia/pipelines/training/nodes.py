"""Nodes of the training pipeline that are more than one function of the domain, and its figure."""

from pathlib import Path
from typing import Any

import pandas as pd

from pneumonia.base.annotations import Figure, Model
from pneumonia.base.environment import RunContext
from pneumonia.base.parameters import IngestParameters
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.model.lineage import Lineage, Start, digest_of_weights, make_lineage, weights_digest
from pneumonia.model.networks import MODEL_SUFFIX
from pneumonia.model.recipe import Recipe
from pneumonia.model.start import read_start, version_of
from pneumonia.pixels.store import PixelStores
from pneumonia.report.style import SPLIT_COLOURS, new_figure


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
        The network with the weights of its best epoch, under the float32 policy; its lineage, which names the model
        that it started from, if any; and the history: one row per epoch, with the metrics of train and val (`val_...`)
        and the number of the `member`. With `training.members` above 1, the model averages that many networks, and
        `val_...` are measured on the member's own fold of train. If training mirrors images, the model also averages
        over the image and its mirror image; the history's `val_...` do not.

    Raises:
        UserError: If interrupted, out of memory, diverged, or a GPU is requested but absent.
    """
    from pneumonia.model.fit import train

    start = describe_start(training_recipe.model.weights)  # the file may be gone when the training has ended
    store = pixel_store.open(training_recipe.inputs.image_size, training_recipe.inputs.resize)
    trained = train(split_manifest, store, training_recipe, training_state)
    lineage = make_lineage(split_manifest, store, training_recipe, ingest, run_context)
    weights = {"weights_sha256": weights_digest(trained.model)}
    return trained.model, {**lineage, **start, **trained.facts, **weights}, trained.history


def describe_start(weights: str) -> dict[str, Start]:
    """Return the entry `start` of a lineage; none unless the training starts from a model of this project.

    Args:
        weights: `model.weights`, with the file of a model.

    Raises:
        UserError: If the file is no whole model.
    """
    if not weights.endswith(MODEL_SUFFIX):
        return {}
    digest = digest_of_weights(read_start(Path(weights)).model)
    return {"start": {"parent": version_of(weights) or weights, "parent_weights_sha256": digest}}


def describe_network(pneumonia_model: Model, model_lineage: Lineage) -> str:
    """Describe a network: its layers with the number of its parameters, and with what it was compiled."""
    lines: list[str] = []
    pneumonia_model.summary(print_fn=lambda line, **_: lines.append(line), line_length=110, expand_nested=True)
    compilation = [f"{name.replace('_', ' ')}: {value}" for name, value in model_lineage.get("compilation", {}).items()]
    return "\n".join([*lines, "Compiled for training with", *compilation]) + "\n"


METRIC_TITLES = {
    "log_loss": "log-loss",
    "auc": "AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall (sensitivity)",
}


def draw_training_curves(training_history: pd.DataFrame) -> Figure:
    """Draw each metric over the epochs, for train (augmented images) and val, and mark the epochs kept."""
    figure, axes = new_figure(10.5, 5.6, 2, 3)
    kept = sorted(set(training_history.loc[training_history["kept"] == 1, "epoch"]))
    for panel, (metric, title) in zip(axes.flat, METRIC_TITLES.items(), strict=False):
        for number, history in training_history.groupby("member"):
            for split, column in (("train", metric), ("val", f"val_{metric}")):
                label = split if number == 1 else None
                measured = history.dropna(subset=column)  # not every epoch is validated
                marker = "o" if len(measured) == 1 else None  # a line through one point cannot be seen
                panel.plot(measured["epoch"], measured[column], color=SPLIT_COLOURS[split], label=label, marker=marker)
        for epoch in kept:
            label = f"epoch kept: {', '.join(map(str, kept))}" if epoch == kept[0] else None
            panel.axvline(epoch, color="0.6", linewidth=0.8, linestyle="--", label=label)
        panel.set_title(title)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
    axes.flat[-1].set_axis_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    members = training_history["member"].nunique()
    title = "train: images and weights as trained\nval: images as they are, weights as saved"
    if members > 1:
        title = f"one line for each of {members} members\n{title}"
    axes.flat[-1].legend(handles, labels, loc="center left", title=title)
    return figure
