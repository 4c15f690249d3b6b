"""What a network says of images, read and predicted part by part: probabilities, features, and where it looks.

Grad-CAM (Selvaraju et al., ICCV 2017) weighs each channel of the last convolutional map by the mean gradient of the
class's logit, adds the channels up and keeps what is positive. It is coarse: one cell of the map covers many pixels. It
shows what raised the network's probability, not what a radiologist would call the finding.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats, Model, Pixels
from pneumonia.base.errors import UserError
from pneumonia.base.files import regular
from pneumonia.model.lineage import Lineage, check_decoder
from pneumonia.pixels.store import PixelStore, PixelStores

PART = 512  # images held in memory at once
BATCHES_AT_ONCE = 2  # an operation is given half of the cores: `share_out_cores`
FEATURES = "features"  # the layer of the last feature maps
# What zipfile and Keras raise on damaged files: tests/datasets/test_fuzzing.py damages some at random.
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, TypeError, RuntimeError)


def open_pixels(pixel_stores: PixelStores, lineage: Lineage) -> PixelStore:
    """Open the pixels that a model was made for.

    Raises:
        UserError: If another decoder would make them, or they are not stored.
    """
    check_decoder(lineage)  # before they are looked for: storing them again would not help
    return pixel_stores.open(lineage["image_size"], lineage["resize"])


def predict(model: Model, images: Pixels, batch_size: int) -> Floats:
    """Return the probability of the positive class of images in memory.

    Args:
        model: Takes uint8 `[n, size, size, 1]`; its first output is the probability, `[n, 1]`.
        images: The images, uint8 `[n, size, size, 1]`.
        batch_size: Images per forward pass.

    Returns:
        Probabilities, `[n]`.
    """
    return forward(model, images, batch_size)[0][:, 0].astype(np.float64)


def forward(model: Model, images: npt.NDArray[Any], batch_size: int) -> list[npt.NDArray[np.float32]]:
    """Return all outputs of a model for images in memory, `[n, ...]` each.

    Two batches are computed at once. `model.predict` would make a tf.data pipeline for each call, which starts and ends
    slowly.
    """

    def outputs_of(start: int) -> list[npt.NDArray[np.float32]]:
        outputs = model.predict_on_batch(images[start : start + batch_size])
        return outputs if isinstance(outputs, list) else [outputs]

    model.make_predict_function()  # once, and not in each thread
    with ThreadPoolExecutor(BATCHES_AT_ONCE) as threads:
        parts = list(threads.map(outputs_of, range(0, len(images), batch_size)))
    return [np.concatenate(of_one) for of_one in zip(*parts, strict=True)]


def predict_stored(
    model: Model,
    pixel_store: PixelStore,
    sha256s: pd.Series,
    batch_size: int,
    change: Callable[[Pixels, int], Pixels] | None = None,
) -> Floats:
    """Return the probability of the positive class of stored images, in the order of their hashes.

    Args:
        model: Takes uint8 `[n, size, size, 1]`; its first output is the probability, `[n, 1]`.
        pixel_store: Has the images.
        sha256s: Hash of each image, `[n]`.
        batch_size: Images per forward pass.
        change: What to do to the pixels first; uint8 `[n, size, size, 1]` in and out. It is also told the number of its
            first image among all.

    Returns:
        Probabilities, `[n]`.
    """
    probabilities = []
    for number, part in enumerate(stored_parts(pixel_store, sha256s)):
        shown = part if change is None else change(part, number * PART)
        probabilities.append(predict(model, shown, batch_size))
    return np.concatenate(probabilities)


def stored_parts(pixel_store: PixelStore, sha256s: pd.Series) -> Iterator[Pixels]:
    """Read stored images in the order of their hashes, up to 512 at a time, uint8 `[n, size, size, 1]`."""
    rows = pixel_store.rows(sha256s)
    for start in range(0, len(rows), PART):
        yield pixel_store.read(rows[start : start + PART])


def feature_model(model: Model) -> Model:
    """Return the model that gives an image's pooled features, `[n, k]` float32.

    They are the mean over the last maps (layer `features`) of the network, or of the first of several.
    """
    import keras

    network = first_network(model)
    return keras.Model(network.inputs, pooled_features(network), name="pooled")


def with_features(model: Model) -> Model:
    """Return the model that gives both, in one pass: the probability, `[n, 1]`, and the features of `feature_model`."""
    import keras

    twin, views = with_inner(model, lambda network: [pooled_features(network)])
    return keras.Model(twin.inputs, [twin.outputs[0], views[0].inner[0]], name="with_features")


class NetworkView(NamedTuple):
    """The first network on one view of the image: its input, its outputs, and the requested inner tensors."""

    image: Any
    outputs: list[Any]
    inner: list[Any]


def with_inner(model: Model, choose: Callable[[Model], list[Any]]) -> tuple[Model, list[NetworkView]]:
    """Return a model of the same layers, and so the same weights, in which inner tensors of a network can be reached.

    Args:
        model: A network, or an average of several networks or views.
        choose: From the first network to symbolic tensors inside of it.

    Returns:
        The model, and the first network's tensors for each view, as symbolic tensors of that model.
    """
    import keras

    network = first_network(model)
    inner = choose(network)
    if network is model:
        return model, [NetworkView(model.inputs[0], list(model.outputs), inner)]
    joint = keras.Model(network.inputs, [*network.outputs, *inner], name=network.name)
    views: list[NetworkView] = []

    def call(layer: Any, *arguments: Any, **named: Any) -> Any:
        if layer is not joint:
            return layer(*arguments, **named)
        said = joint(*arguments, **named)
        outputs, inside = said[: -len(inner)], said[-len(inner) :]
        views.append(NetworkView(arguments[0], outputs, inside))
        return outputs if len(outputs) > 1 else outputs[0]

    # Only the first network is replaced, by the one that also returns its inner tensors.
    twin = keras.models.clone_model(
        model, clone_function=lambda layer: joint if layer is network else layer, call_function=call
    )
    return twin, views


def first_network(model: Model) -> Model:
    """Return the network whose features describe an image: the model itself, or the first that it averages."""
    return list_networks(model)[0]


def list_networks(model: Model) -> list[Model]:
    """Return the networks that a model averages; of a single network, itself."""
    return [model] if _has_features(model) else [layer for layer in model.layers if _has_features(layer)]


def pooled_features(network: Model) -> Any:
    """Return the mean of a network's last maps as a symbolic tensor, `[n, k]` float32."""
    import keras

    pool = keras.layers.GlobalAveragePooling2D(name="pooled_features", dtype="float32")
    return pool(network.get_layer(FEATURES).output)


def _has_features(layer: Any) -> bool:
    return any(inner.name == FEATURES for inner in getattr(layer, "layers", ()))


def load_model(path: Path) -> Model:
    """Load a saved model. Code that a file carries is not run.

    Raises:
        OSError: If there is no file.
        UserError: If it is not a complete model.
    """
    import keras

    regular(path)
    try:
        return keras.models.load_model(path, safe_mode=True)  # noqa: TID251 - the one place
    except DAMAGED as error:
        raise UserError(
            f"{path} is not a complete model of this project ({error}). Remove its version folder, or name another "
            "version by --load-versions=pneumonia_model:VERSION."
        ) from error


def grad_cam(model: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Map what raises the probability of the positive class.

    Args:
        model: A network whose layer `features` is its last convolutional map and whose last layer with weights is
            dense, with a sigmoid or a softmax whose first column is the negative class; or an average of such networks.
        images: Images, uint8 `[n, size, size, 1]`.

    Returns:
        Maps at the images' size, `[n, size, size]`, from 0 to 1, the peak of each at 1. A map is 0 everywhere if
        nothing supports the positive class.
    """
    coarse = np.mean([_coarse_map(member, images) for member in list_networks(model)], axis=0)
    return np.stack([_enlarge(one, images.shape[1]) for one in coarse])


def _coarse_map(network: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the map of one network at the size of its features, `[n, h, w]`, the peak of each at 1 (or all 0)."""
    import keras
    import tensorflow as tf

    last = next(layer for layer in network.layers[::-1] if hasattr(layer, "kernel"))
    probe = keras.Model(network.input, [network.get_layer(FEATURES).output, last.input])
    with tf.GradientTape() as tape:
        features, pooled = probe(images, training=False)
        # The log-odds, because the gradient of the probability vanishes where the network is sure.
        logit = _log_odds(tf.matmul(pooled, last.kernel) + last.bias)
    weights = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)


def _log_odds(logits: Any) -> Any:
    """Return the log-odds of the positive class, `[n, 1]`, from one logit or from those of all classes."""
    import tensorflow as tf

    if logits.shape[1] == 1:
        return logits
    return tf.reduce_logsumexp(logits[:, 1:], axis=1, keepdims=True) - logits[:, :1]


def _enlarge(coarse: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Enlarge one map smoothly, `[size, size]`, and keep it within 0 and 1."""
    from PIL import Image

    enlarged = Image.fromarray(coarse.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(enlarged), 0, 1)
