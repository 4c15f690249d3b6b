"""Nodes of the training pipeline."""

from pathlib import Path

import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.parameters import InputsParameters, ModelParameters, TrainingParameters
from pneumonia.model.checkpoint import TrainingState
from pneumonia.model.lineage import check_class_weights, make_lineage
from pneumonia.pixels.store import PixelStores


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
    from pneumonia.model.fit import fit_network

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
