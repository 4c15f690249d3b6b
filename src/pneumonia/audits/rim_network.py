"""A small network trained only on the rim of the images: what their framing alone reveals.

The centre, with heart and lungs, is hidden in training and test alike, so this network, unlike one that was trained on
whole images (`regions`), has seen such images.
"""

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pneumonia.audits.regions import Region, hide
from pneumonia.base.annotations import Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.registry import Targets
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, predict, stored_parts
from pneumonia.pixels.keys import pixel_keys
from pneumonia.pixels.store import PixelStore, PixelStores

if TYPE_CHECKING:
    from keras import KerasTensor

SIDE = 48  # pixels: enough for edges, letters and shoulders
WIDTHS = (16, 32, 64)  # channels of the convolutions, each of which halves the side
EPOCHS = 6
BATCH = 64
LEARNING_RATE = 2e-3  # the highest, at the first step
LEAST_IMAGES = 20  # of each class in train; from fewer, a network learns nothing
SCORE_COLUMNS = ["path", "group", "target", "split", "probability"]

logger = logging.getLogger(__name__)


def score_rims(
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Train on the rims of the train images; predict those of validation and test, which do not affect training.

    Args:
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `rim_network`, `hidden_side`, `batch_size`, `seed`.

    Returns:
        path, group, target, split, probability. No rows if `rim_network` is off or a class of train has fewer than
        `LEAST_IMAGES` images.
    """
    train = split_manifest[split_manifest["split"] == "train"]
    fewest = train["target"].value_counts().reindex([0, 1], fill_value=0).min()
    if not parameters.rim_network or fewest < LEAST_IMAGES:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    logger.info("Training a small network on the rims of %s images, as a shortcut to compare with.", f"{len(train):,}")
    store = open_pixels(pixel_store, model_lineage)
    images = _read_rims(store, pixel_keys(train), parameters.hidden_side)
    network = train_rim_network(images, train["target"].to_numpy(), parameters.seed)
    judged = split_manifest[split_manifest["split"] != "train"]
    rims = _read_rims(store, pixel_keys(judged), parameters.hidden_side)
    return judged.assign(probability=predict(network, rims, parameters.batch_size))[SCORE_COLUMNS]


def _read_rims(store: PixelStore, sha256s: pd.Series, side: float) -> Pixels:
    """Return stored images at 48 pixels a side, the central square hidden, uint8 `[n, 48, 48, 1]`."""
    return np.concatenate([hide(shrink(part), side, Region.CENTRE_HIDDEN) for part in stored_parts(store, sha256s)])


def shrink(images: Pixels) -> Pixels:
    """Return images, uint8 `[n, size, size, 1]`, as means over areas, uint8 `[n, 48, 48, 1]`."""
    from PIL import Image

    small = [Image.fromarray(image[..., 0]).resize((SIDE, SIDE), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image) for image in small])[..., None]


def train_rim_network(images: Pixels, target: Targets, seed: int) -> Model:
    """Train a network of three convolutions for six epochs.

    It trains on the CPU, from arrays in memory and with its own random draws, so that the same images and seed give the
    same network whatever ran before.

    Args:
        images: The rims, uint8 `[n, 48, 48, 1]`.
        target: True class, 0 or 1, `[n]`.
        seed: Of the weights and of the images' order.
    """
    import keras

    rng = np.random.default_rng(seed)
    batch = min(BATCH, len(images))
    with keras.device("cpu:0"):
        network = _make_network(seed)
        decay = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * (len(images) // batch))
        network.compile(keras.optimizers.AdamW(decay, weight_decay=0.02), "binary_crossentropy", jit_compile=False)
        for _ in range(EPOCHS):
            order = rng.permutation(len(images))
            for start in range(0, len(order) - batch + 1, batch):
                chosen = order[start : start + batch]
                network.train_on_batch(images[chosen], target[chosen].astype(np.float32)[:, None])
    return network


def _make_network(seed: int) -> Model:
    """Return the untrained network. It ends in all cells, not in their mean: on a rim, place tells."""
    import keras

    image = keras.Input((SIDE, SIDE, 1), name="image")
    x: KerasTensor = keras.layers.Rescaling(1 / 64, offset=-2)(image)
    for number, width in enumerate(WIDTHS):
        first = keras.initializers.HeNormal(seed=seed + number)
        x = keras.layers.Conv2D(width, 3, 2, padding="same", activation="relu", kernel_initializer=first)(x)
    last = keras.initializers.GlorotUniform(seed=seed + len(WIDTHS))
    probability = keras.layers.Dense(1, "sigmoid", kernel_initializer=last)(keras.layers.Flatten()(x))
    return keras.Model(image, probability, name="rim_network")
