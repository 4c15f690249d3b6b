"""A network's probabilities of stored images, read and predicted part by part."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.errors import UserError
from pneumonia.metrics.metrics import Floats
from pneumonia.pixels.store import PixelStore, PixelStores

PART = 512  # images held in memory at once
FEATURES = "features"  # the layer with the last maps

Pixels = npt.NDArray[np.uint8]


def open_pixels(pixel_stores: PixelStores, lineage: dict[str, Any]) -> PixelStore:
    """Open the pixels that a model was made for.

    Raises:
        UserError: If they are not stored, or were decoded otherwise since.
    """
    store = pixel_stores.open(lineage["image_size"], lineage["resize"])
    if store.fingerprint != lineage["pixels"]:
        raise UserError(
            f"The model was trained on pixels made as {lineage['pixels']}, but these are {store.fingerprint}: another "
            "decoder gives other pixels. Install the release of Pillow that it was trained with, or train again."
        )
    return store


def predict(model: Model, images: Pixels, batch_size: int) -> Floats:
    """Return the probability of the positive class of images in memory.

    Args:
        model: Takes uint8 `[n, size, size, 1]`, gives `[n, 1]`.
        images: The images, uint8 `[n, size, size, 1]`.
        batch_size: Images a forward pass.

    Returns:
        Probabilities, `[n]`.
    """
    return model.predict(images, batch_size=batch_size, verbose=0)[:, 0].astype(np.float64)


def predict_stored(
    model: Model,
    pixel_store: PixelStore,
    sha256s: pd.Series,
    batch_size: int,
    change: Callable[[Pixels], Pixels] | None = None,
) -> Floats:
    """Return the probability of the positive class of stored images, in the order of their hashes.

    Args:
        model: Takes uint8 `[n, size, size, 1]`, gives `[n, 1]`.
        pixel_store: Has the images.
        sha256s: Hash of each image, `[n]`.
        batch_size: Images a forward pass.
        change: What to do to the pixels first; uint8 `[n, size, size, 1]` in and out.

    Returns:
        Probabilities, `[n]`.
    """
    rows = pixel_store.rows(sha256s)
    parts = []
    for start in range(0, len(rows), PART):
        images = pixel_store.read(rows[start : start + PART])
        parts.append(predict(model, images if change is None else change(images), batch_size))
    return np.concatenate(parts)


def stored_parts(pixel_store: PixelStore, sha256s: pd.Series) -> Iterator[Pixels]:
    """Read stored images in the order of their hashes, up to 512 at a time, uint8 `[n, size, size, 1]`."""
    rows = pixel_store.rows(sha256s)
    for start in range(0, len(rows), PART):
        yield pixel_store.read(rows[start : start + PART])


def feature_model(model: Model) -> Model:
    """Return the model that gives an image's pooled features, `[n, k]` float32, for `pooled_features`.

    They are the mean over the last maps (layer `features`) of the network; of several that are averaged, the first's.
    """
    import keras

    network = next(layer for layer in [model, *model.layers] if _has_features(layer))
    pool = keras.layers.GlobalAveragePooling2D(name="pooled_features", dtype="float32")
    return keras.Model(network.inputs, pool(network.get_layer(FEATURES).output), name="pooled")


def _has_features(layer: Any) -> bool:
    return any(inner.name == FEATURES for inner in getattr(layer, "layers", ()))


def load_model(path: Path) -> Model:
    """Load a saved model.

    Raises:
        UserError: If the file is not a whole model.
    """
    import keras

    try:
        return keras.models.load_model(path)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not a whole model of this project ({error}). Name another version.") from error
