"""What is averaged: the weights of a network in training, and probabilities, over several networks and two views."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pneumonia.model.compiling import make_metrics
from pneumonia.model.recipe import Recipe
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import plan_epoch
from pneumonia.pixels.store import PixelStore, pixel_keys
from pneumonia.split.folds import Splits, grouped_folds

# Batches of training images on which the statistics of batch normalisation are measured again.
STATISTICS_BATCHES = 16


class AveragedCopy:
    """A copy of a network in training with its averaged weights, and statistics that belong to them.

    The weights of the copy are the exponential moving average of the network's. The running means and variances of
    batch normalisation belong to the network's own weights: with them, averaged weights give nonsense while the
    learning rate is high. So they are measured again (Izmailov et al. 2018, "Averaging weights leads to wider optima"),
    on training images, half of them unmodified and half augmented: with unmodified images alone, the model does less
    well on other scanners; with augmented images alone, it gives unmodified images too low a probability.

    Attributes:
        network: The copy.
    """

    def __init__(self, network: keras.Model, val_input: tf.data.Dataset, batches: Sequence[tf.Tensor]) -> None:
        """Take an uncompiled network, the validation images, and batches of training images.

        Args:
            network: With the same layers as the one in training, under the float32 policy.
            val_input: Images and targets, once through.
            batches: Images for the statistics. With none, the network's own running statistics are copied.
        """
        self.network = network
        # Loss and metrics judge only the first output, the probability.
        self._judged = keras.Model(network.inputs, network.outputs[0])
        self._judged.compile(loss="binary_crossentropy", metrics=make_metrics(), jit_compile=False)
        self._val_input = val_input
        self._batches = batches
        # As a graph, the forward pass takes half the time; the graph is built at the first call.
        self._forward = tf.function(lambda images: network(images, training=True))
        kept = {id(weight) for weight in network.weights}
        self._random_states = [(v, keras.ops.convert_to_numpy(v)) for v in network.variables if id(v) not in kept]

    def aim(self, val_input: tf.data.Dataset, batches: Sequence[tf.Tensor]) -> None:
        """Judge other images from now on."""
        self._val_input, self._batches = val_input, batches

    def follow(self, network: keras.Model) -> None:
        """Take over the averaged weights of a network in training, and measure the statistics."""
        self.network.set_weights(averaged_weights(network))
        for variable, start in self._random_states:  # so that dropout is the same after an interruption
            variable.assign(start)
        if self._batches:
            measure_statistics(self.network, self._batches, self._forward)

    def validate(self) -> dict[str, float]:
        """Return loss and metrics on the validation images, named `val_...`."""
        metrics = self._judged.evaluate(self._val_input, verbose=0, return_dict=True)
        return {f"val_{name}": float(value) for name, value in metrics.items()}


def sample_statistics_batches(store: PixelStore, train: pd.DataFrame, recipe: Recipe) -> list[tf.Tensor]:
    """Return batches of training images at full size, uint8 `[b, size, size, 1]`, every other one augmented."""
    size, seed = recipe.training.batch_size, recipe.training.seed
    order, draws = (plan.numpy() for plan in plan_epoch(len(train), seed, 0, N_DRAWS))
    rows = order[: STATISTICS_BATCHES * size]
    batches = []
    for number, start in enumerate(range(0, len(rows), size)):
        chosen = rows[start : start + size]
        images = tf.constant(store.read(store.rows(pixel_keys(train.iloc[chosen]))))
        batches.append(augment(images, draws[chosen], recipe.inputs.augmentation) if number % 2 else images)
    return batches


def averaged_weights(network: keras.Model) -> list[np.ndarray]:
    """Return a network's weights, the trainable ones as averaged by its optimizer where it averages."""
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    if not optimizer.use_ema:
        return network.get_weights()
    averages = zip(network.trainable_variables, optimizer._model_variables_moving_average, strict=True)
    by_path = {variable.path: average for variable, average in averages}
    return [keras.ops.convert_to_numpy(by_path.get(weight.path, weight)) for weight in network.weights]


def _normalisations(layer: keras.layers.Layer) -> Iterator[keras.layers.BatchNormalization]:
    """Find the batch normalisation layers of a network, inside of networks that it holds too."""
    for inner in getattr(layer, "layers", ()):
        if isinstance(inner, keras.layers.BatchNormalization):
            yield inner
        yield from _normalisations(inner)


def measure_statistics(
    network: keras.Model, batches: Sequence[tf.Tensor], forward: Callable[[tf.Tensor], tf.Tensor]
) -> None:
    """Set the running means and variances of batch normalisation to their means over batches.

    Args:
        network: Changed in place; only its batch normalisation layers are.
        batches: Inputs of the network. They have equal weight whatever their size.
        forward: Calls the network as in training. Never called before as a graph: that would keep the momentum it was
            built with.
    """
    layers = list(_normalisations(network))
    momenta = [layer.momentum for layer in layers]
    sums = [[0.0, 0.0] for _ in layers]
    for layer in layers:
        layer.momentum = 0.0  # so that the running statistics are those of the last batch
    for batch in batches:
        forward(batch)
        for total, layer in zip(sums, layers, strict=True):
            total[0] += keras.ops.convert_to_numpy(layer.moving_mean)
            total[1] += keras.ops.convert_to_numpy(layer.moving_variance)
    for total, layer, momentum in zip(sums, layers, momenta, strict=True):
        layer.momentum = momentum
        layer.moving_mean.assign(total[0] / len(batches))
        layer.moving_variance.assign(total[1] / len(batches))


def plan_members(split_manifest: pd.DataFrame, members: int, seed: int) -> list[Splits]:
    """Choose the images on which each member is trained, and those on which its epoch is chosen.

    A single member is trained on train and validated on val. Each of several is validated on one fold of train and
    trained on the other folds; a group is in only one fold. No member then sees the images of val, so that calibration
    and threshold are chosen on unseen images.

    Args:
        split_manifest: One row per image.
        members: How many.
        seed: Of the folds.

    Returns:
        For each member its training rows and its validation rows of the manifest.

    Raises:
        UserError: If train has too few groups of a class for so many folds.
    """
    train = split_manifest[split_manifest["split"] == "train"]
    if members == 1:
        return [(train, split_manifest[split_manifest["split"] == "val"])]
    return grouped_folds(train, members, seed, "training.members")


def average_networks(networks: Sequence[keras.Model], *, mirror: bool) -> keras.Model:
    """Return one model that averages the outputs over several networks, an image and its mirror image, or both.

    Args:
        networks: With the same input, float32, each with its own name.
        mirror: Whether each also scores the image mirrored left to right. Only networks trained on mirrored images
            should.

    Returns:
        The model; of one network and one view, that network itself.
    """
    if len(networks) == 1 and not mirror:
        return networks[0]
    image = keras.Input(networks[0].input_shape[1:], name="image")
    views = [image, keras.ops.flip(image, axis=2)] if mirror else [image]
    answers = [network(view) for network in networks for view in views]
    if len(networks[0].outputs) == 1:
        return keras.Model(image, _mean(answers, "probability"), name="average")
    names = ("probability", "etiology")
    means = [_mean(of_one, name) for of_one, name in zip(zip(*answers, strict=True), names, strict=True)]
    return keras.Model(image, means, name="average")


def _mean(answers: Sequence[keras.KerasTensor], name: str) -> keras.KerasTensor:
    if len(answers) == 1:
        return keras.layers.Activation("linear", name=name)(answers[0])
    return keras.layers.Average(name=name)(list(answers))
