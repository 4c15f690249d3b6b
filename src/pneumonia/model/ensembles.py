"""One model that averages probabilities: of several networks, each trained on different images, and of two views."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from pneumonia.split.folds import Splits, grouped_folds

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor


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


def average_networks(networks: Sequence["keras.Model"], *, mirror: bool) -> "keras.Model":
    """Return one model that averages the outputs over several networks, an image and its mirror image, or both.

    Args:
        networks: With the same input, float32, each with its own name.
        mirror: Whether each also scores the image mirrored left to right. Only networks trained on mirrored images
            should.

    Returns:
        The model; of one network and one view, that network itself.
    """
    import keras

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


def _mean(answers: Sequence["KerasTensor"], name: str) -> "KerasTensor":
    import keras

    if len(answers) == 1:
        return keras.layers.Activation("linear", name=name)(answers[0])
    return keras.layers.Average(name=name)(list(answers))
