"""Nodes of the training pipeline."""

from pathlib import Path

import pandas as pd

from pneumonia.annotations import Figure, Model
from pneumonia.datasets.training_state_dataset import TrainingState
from pneumonia.lineage import check_class_weights, make_lineage
from pneumonia.parameters import InputsParameters, ModelParameters, TrainingParameters
from pneumonia.pixel_store import PixelStores

METRIC_TITLES = {
    "log_loss": "log-loss",
    "auc": "AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall (sensitivity)",
}


def train_network(
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    class_weights: dict[str, float],
    training_state: TrainingState,
    tensorboard_logs: Path,
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
) -> tuple[Model, pd.DataFrame]:
    """Train a network on the train images, judged on the val images. The test images are not read.

    Args:
        split_manifest: One row an image.
        pixel_store: Has the pixels of every image of the manifest.
        class_weights: Weight of a training image in the loss, by label.
        training_state: Where an unfinished training is kept.
        tensorboard_logs: The folder for TensorBoard's logs, written to if ``training.tensorboard``.
        inputs: How images were decoded, and how they are augmented.
        model: Which network.
        training: The recipe.

    Returns:
        The network with the weights of its best epoch, under the float32 policy, with its ``lineage``; and
        the history: one row an epoch, with the metrics of train and val (``val_...``) and the number of the
        ``member``. With ``training.members`` above 1 the model averages so many networks, and ``val_...`` are
        measured on the member's own fold of train. Where training mirrors images, the model also averages over
        the image and its mirror image; the history's ``val_...`` are without that.

    Raises:
        UserError: If interrupted, out of memory, diverged, a GPU is asked for and absent, or the class weights are
            those of another split.
    """
    from pneumonia.training import fit_network

    check_class_weights(class_weights, split_manifest)
    store = pixel_store.open(inputs.image_size, inputs.resize)
    lineage = make_lineage(split_manifest, store, inputs, model, training)
    return fit_network(
        split_manifest, store, class_weights, training_state, tensorboard_logs, lineage, inputs, model, training
    )


def describe_network(pneumonia_model: Model) -> str:
    """Return the layers of a network as a table, with the number of its parameters."""
    lines: list[str] = []
    pneumonia_model.summary(print_fn=lambda line, **_: lines.append(line), line_length=110, expand_nested=True)
    return "\n".join(lines) + "\n"


def draw_training_curves(training_history: pd.DataFrame) -> Figure:
    """Draw each metric over the epochs, for train (augmented images) and val, and mark the epochs kept."""
    from pneumonia.figures import SPLIT_COLOURS, new_figure

    figure, axes = new_figure(10.5, 5.6, 2, 3)
    kept = sorted(set(training_history.loc[training_history["kept"] == 1, "epoch"]))
    for panel, (metric, title) in zip(axes.flat, METRIC_TITLES.items(), strict=False):
        for number, history in training_history.groupby("member"):
            for split, column in (("train", metric), ("val", f"val_{metric}")):
                label = split if number == 1 else None
                panel.plot(history["epoch"], history[column], color=SPLIT_COLOURS[split], label=label)
        for epoch in kept:
            label = f"epoch kept: {', '.join(map(str, kept))}" if epoch == kept[0] else None
            panel.axvline(epoch, color="0.6", linewidth=0.8, linestyle="--", label=label)
        panel.set_title(title)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
    axes.flat[-1].set_axis_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    members = training_history["member"].nunique()
    judged = "val: images as they are, averaged weights"
    if members > 1:
        judged = f"val: of each of {members} members its own fold of train,\nimages as they are, averaged weights"
    axes.flat[-1].legend(
        handles, labels, loc="center left", title=f"train: augmented images, weights in motion\n{judged}"
    )
    return figure
