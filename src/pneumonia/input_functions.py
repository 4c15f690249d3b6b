"""From the pixel store and a manifest to batches: one function for training, one for evaluation.

What a training sees is a function of the seed, the epoch and the image's row in the manifest, so that a
continued training sees what an undisturbed one would have seen.
"""

import logging
from collections.abc import Callable, Mapping
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from pneumonia.pixel_store import PixelStore

logger = logging.getLogger(__name__)

# uint8 images [b, size, size, 1] and uniform draws [b, k] from [0, 1) to images.
Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Batches that are ready before they are asked for. With tf.data.AUTOTUNE the number, and so the memory, would
# have no bound.
PREFETCH_BATCHES = 4


def steps_per_epoch(n_images: int, batch_size: int, shard: tuple[int, int] = (1, 0)) -> int:
    """Return the number of batches in which every image (of a shard) comes once; the last may be smaller."""
    count, index = shard
    return ceil(len(range(index, n_images, count)) / batch_size)


def plan_epoch(
    n_images: int, seed: int, epoch: int, n_draws: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the order of an epoch, rows `[n]`, and the draws from [0, 1) of each row, `[n, n_draws]`."""
    rng = np.random.default_rng([seed, epoch])
    return rng.permutation(n_images), rng.random((n_images, n_draws), dtype=np.float32)


def make_train_input(
    store: PixelStore,
    manifest: pd.DataFrame,
    *,
    batch_size: int,
    seed: int,
    memory_limit_mb: int,
    first_epoch: int = 0,
    augment: Augment | None = None,
    n_draws: int = 0,
    class_weights: Mapping[str, float] | None = None,
    shard: tuple[int, int] = (1, 0),
) -> tf.data.Dataset:
    """Make the endless input of a training, each epoch in another order.

    Args:
        store: Has the pixels.
        manifest: One row an image, with sha256, label and target.
        batch_size: Images in a batch. The last batch of an epoch holds what is left.
        seed: Of order and draws; not negative.
        memory_limit_mb: Pixels of up to this size (in 10^6 bytes) are held in memory, more are streamed.
        first_epoch: The epoch to begin with.
        augment: Applied to each batch with the draws of its rows.
        n_draws: How many draws `augment` takes for an image.
        class_weights: Weight of an image by label; 1 without.
        shard: `(n, i)`: only the i-th of n parts of each epoch, without overlap or loss.

    Returns:
        Images `[b, size, size, 1]` (uint8, or as `augment` gives them), targets float32 `[b, 1]`, weights
        float32 `[b]`; `steps_per_epoch` batches an epoch.
    """
    read = _make_reader(store, manifest, memory_limit_mb)
    targets = _targets(manifest)
    weights = _on_cpu(manifest["label"].map(class_weights or dict.fromkeys(manifest["label"], 1.0)), np.float32)
    count, index = shard

    def plan(epoch: tf.Tensor) -> tf.data.Dataset:
        rows, draws = tf.numpy_function(
            lambda number: plan_epoch(len(manifest), seed, number, n_draws),
            [epoch],
            [tf.int64, tf.float32],
            stateful=False,
        )
        rows = tf.ensure_shape(rows, [len(manifest)])[index::count]
        draws = tf.gather(tf.ensure_shape(draws, [len(manifest), n_draws]), rows)
        return tf.data.Dataset.from_tensor_slices((rows, draws)).batch(batch_size)

    def load(rows: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images = read(rows)
        if augment is not None:
            images = augment(images, draws)
        return images, tf.gather(targets, rows), tf.gather(weights, rows)

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    batches = epochs.flat_map(plan).map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return batches.apply(endless).prefetch(PREFETCH_BATCHES)


def make_eval_input(
    store: PixelStore,
    manifest: pd.DataFrame,
    *,
    batch_size: int,
    memory_limit_mb: int,
    shard: tuple[int, int] = (1, 0),
) -> tf.data.Dataset:
    """Make the input of an evaluation: the manifest's order, nothing random, once through.

    Args:
        store: Has the pixels.
        manifest: One row an image, with sha256 and target.
        batch_size: Images in a batch.
        memory_limit_mb: As in `make_train_input`.
        shard: `(n, i)`: only rows i, i + n, i + 2n and so on.

    Returns:
        Images uint8 `[b, size, size, 1]` and targets float32 `[b, 1]`.
    """
    read = _make_reader(store, manifest, memory_limit_mb)
    targets = _targets(manifest)
    count, index = shard
    rows = tf.data.Dataset.range(index, len(manifest), count).batch(batch_size)
    batches = rows.map(
        lambda rows: (read(rows), tf.gather(targets, rows)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return batches.prefetch(PREFETCH_BATCHES)


def _make_reader(store: PixelStore, manifest: pd.DataFrame, memory_limit_mb: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function from rows of the manifest to their images, uint8 `[b, size, size, 1]`."""
    stored_rows = store.rows(manifest["sha256"])
    megabytes = len(manifest) * store.record_bytes / 1e6
    what = f"{len(manifest):,} images of {store.image_size} px ({megabytes:,.0f} MB)"
    fetch: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]]
    if megabytes <= memory_limit_mb:
        logger.info("Input: %s, held in memory.", what)
        # Not a tensor: tf.data copies the tensors that its functions use into each iterator.
        fetch = store.read(stored_rows).__getitem__
    else:
        logger.info("Input: %s, streamed: more than inputs.memory_limit_mb=%d.", what, memory_limit_mb)
        fetch = lambda rows: store.read(stored_rows[rows])  # noqa: E731 - a name for either

    def read(rows: tf.Tensor) -> tf.Tensor:
        images = tf.numpy_function(fetch, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [None, store.image_size, store.image_size, 1])

    return read


def _targets(manifest: pd.DataFrame) -> tf.Tensor:
    """Return the targets, float32 `[n, 1]`."""
    return _on_cpu(manifest["target"].to_numpy()[:, None], np.float32)


def _on_cpu(values: npt.ArrayLike, dtype: type[np.generic]) -> tf.Tensor:
    """Return a tensor in main memory, where tf.data works, also on a machine with a GPU."""
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(np.asarray(values, dtype))
