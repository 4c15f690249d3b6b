"""Whether the network needs the part of the image that shows heart and lungs, and what that part and the rim reveal.

For the latter, small networks are trained only on the rim of the images, and only on their centre. The rest is hidden
in training and test alike, so these networks, unlike one that was trained on whole images, have seen such images
(remove and retrain: Hooker et al., NeurIPS 2019).
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.audits.shortcuts import shrink
from pneumonia.base.annotations import Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.progress import follow
from pneumonia.base.text import Labelled
from pneumonia.metrics.breakdowns import auc_row, paired_loss
from pneumonia.metrics.registry import Targets
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, predict, predict_stored, stored_parts
from pneumonia.pixels.store import PixelStores, pixel_keys

if TYPE_CHECKING:
    from keras import KerasTensor


class Region(Labelled):
    """Which part of an image the network sees."""

    WHOLE = "whole", "whole image"
    CENTRE_HIDDEN = "centre_hidden", "centre hidden"
    BORDER_HIDDEN = "border_hidden", "border hidden"


HIDDEN_REGIONS = (Region.CENTRE_HIDDEN, Region.BORDER_HIDDEN)
SCORE_COLUMNS = ["path", "group", "target", "view", "probability"]


def hide_regions(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict the test images with the centre hidden, and with all but the centre hidden.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `hidden_side`, `batch_size`.

    Returns:
        path, group, target, view (a `Region`), probability: one row per image and view.
    """
    store = open_pixels(pixel_store, model_lineage)
    test = split_manifest[split_manifest["split"] == "test"]
    parts = []
    for view in HIDDEN_REGIONS:

        def change(images: Pixels, _: int, view: Region = view) -> Pixels:
            return hide(images, parameters.hidden_side, view)

        probability = predict_stored(pneumonia_model, store, pixel_keys(test), parameters.batch_size, change)
        parts.append(test.assign(view=view, probability=probability)[SCORE_COLUMNS])
    return pd.concat(parts, ignore_index=True)


def measure_regions(hidden_scores: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Measure the network's AUC on test for each view of the images.

    Args:
        hidden_scores: The table of `hide_regions`.
        scores: Probabilities of the whole images.

    Returns:
        predictor (a `Region`), images, auc, low, high, n, n_positive, n_groups, and `behind_centre`: by how much the
        AUC is below that with all but the centre hidden, with paired bounds.
    """
    whole = scores[scores["split"] == "test"]
    parts = {Region.WHOLE: whole} | {view: hidden_scores[hidden_scores["view"] == view] for view in HIDDEN_REGIONS}
    centre = parts[Region.BORDER_HIDDEN]
    return pd.DataFrame(
        [
            auc_row(view, "test", rows, rows["probability"].to_numpy()) | paired_loss("behind_centre", centre, rows)
            for view, rows in parts.items()
        ]
    )


def hide(images: npt.NDArray[np.uint8], side: float, view: Region) -> npt.NDArray[np.uint8]:
    """Replace the centre of each image, or all but the centre, by the mean brightness of the rest.

    Args:
        images: uint8 `[n, size, size, 1]`.
        side: Side of the central square as a share of the image's side.
        view: Which of the two is hidden.

    Returns:
        New images, uint8 `[n, size, size, 1]`.
    """
    size = images.shape[1]
    margin = max(1, round(size * (1 - side) / 2))
    hidden = np.zeros((size, size, 1), dtype=bool)
    hidden[margin : size - margin, margin : size - margin] = True
    hidden = hidden if view is Region.CENTRE_HIDDEN else ~hidden
    visible_mean = images[:, ~hidden].mean(axis=1).round().astype(np.uint8)
    return np.where(hidden, visible_mean[:, None, None, None], images)


SIDE = 48  # pixels: enough for edges, letters and shoulders
WIDTHS = (16, 32, 64)  # channels of the convolutions, each of which halves the side
EPOCHS = 6
BATCH = 64
LEARNING_RATE = 2e-3  # the highest, at the first step
LEAST_IMAGES = 20  # of each class in train; from fewer, a network learns nothing
RIM, CENTRE = "a small network on the rim alone", "a small network on the centre alone"
TWIN_COLUMNS = [
    *("predictor", "images", "auc", "low", "high", "n", "n_positive", "n_groups"),
    *("behind_centre", "behind_centre_low", "behind_centre_high"),
]
TWIN_SCORE_COLUMNS = ["path", "group", "target", "split", "probability"]


def score_twins(
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train two networks alike, on the rims and on the centres of the train images.

    They predict those of validation and test, which do not affect training.

    Args:
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `rim_network`, `hidden_side`, `batch_size`, `seed`.

    Returns:
        Of the rims and of the centres: path, group, target, split, probability. No rows if `rim_network` is off or a
        class of train has fewer than `LEAST_IMAGES` images.
    """
    train = split_manifest[split_manifest["split"] == "train"]
    fewest = train["target"].value_counts().reindex([0, 1], fill_value=0).min()
    if not parameters.rim_network or fewest < LEAST_IMAGES:
        return pd.DataFrame(columns=TWIN_SCORE_COLUMNS), pd.DataFrame(columns=TWIN_SCORE_COLUMNS)
    judged = split_manifest[split_manifest["split"] != "train"]
    store = open_pixels(pixel_store, model_lineage)
    known, new = (
        np.concatenate([shrink(part, SIDE) for part in stored_parts(store, pixel_keys(rows))])[..., None]
        for rows in (train, judged)
    )
    tables = []
    for view in HIDDEN_REGIONS:
        seen = (hide(images, parameters.hidden_side, view) for images in (known, new))
        network = train_small_network(next(seen), train["target"].to_numpy(), parameters.seed)
        probability = predict(network, next(seen), parameters.batch_size)
        tables.append(judged.assign(probability=probability)[TWIN_SCORE_COLUMNS])
    return tables[0], tables[1]


def compare_twins(rim_scores: pd.DataFrame, centre_scores: pd.DataFrame) -> pd.DataFrame:
    """Compare what the two networks tell on test.

    Returns:
        predictor (the part that is seen), images, auc, low, high, n, n_positive, n_groups, and `behind_centre`: by how
        much the AUC is below that of the centre, with paired bounds. No rows where nothing was trained.
    """
    rim, centre = (scores[scores["split"] == "test"] for scores in (rim_scores, centre_scores))
    if rim.empty:
        return pd.DataFrame(columns=TWIN_COLUMNS)
    rows = [
        auc_row(name, "test", part, part["probability"].to_numpy()) | paired_loss("behind_centre", centre, part)
        for name, part in ((RIM, rim), (CENTRE, centre))
    ]
    return pd.DataFrame(rows)[TWIN_COLUMNS]


def train_small_network(images: Pixels, target: Targets, seed: int) -> Model:
    """Train a network of three convolutions for six epochs.

    It trains on the CPU, from arrays in memory and with its own random draws, so that the same images and seed give the
    same network whatever ran before.

    Args:
        images: Of which a part is hidden, uint8 `[n, 48, 48, 1]`.
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
        with follow(EPOCHS, "Training a small network to compare with", "epochs") as advance:
            for _ in range(EPOCHS):
                order = rng.permutation(len(images))
                for start in range(0, len(order) - batch + 1, batch):
                    chosen = order[start : start + batch]
                    network.train_on_batch(images[chosen], target[chosen].astype(np.float32)[:, None])
                advance(1)
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
