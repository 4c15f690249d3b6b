"""From the pixel store and a manifest to batches: one function for training, one for evaluation.

What a training sees is a function of the seed, the epoch and the image's row in the manifest, and of the other images
of its batch, which follow from these too: so a continued training sees what an undisturbed one would have seen.
"""

import atexit
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from pneumonia.images.sites import cells_of
from pneumonia.pixels.store import PixelStore, pixel_keys

logger = logging.getLogger(__name__)

# uint8 images [b, size, size, 1] and uniform draws [b, k] from [0, 1) to images.
Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Batches that are ready before they are asked for. With tf.data.AUTOTUNE the number, and so the memory, would
# have no bound.
PREFETCH_BATCHES = 4
# Batches that are made at once: as many as small machines have cores.
PARALLEL_BATCHES = 2
# Images that are read from disk into memory at once.
LOADED_AT_ONCE = 512


@dataclass(frozen=True)
class Batching:
    """Which images come in which batch of a training.

    Attributes:
        size: Images in a batch. The last batch of an epoch holds what is left.
        seed: Of order and draws; not negative.
        first_epoch: The epoch to begin with, counted from 0.
        whole: Whether an epoch's last batch is filled up with the epoch's first images.
    """

    size: int
    seed: int
    first_epoch: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Augmentation:
    """What changes the images of a training.

    Attributes:
        apply: Applied to each batch with the draws of its rows.
        n_draws: How many draws it takes for an image.
    """

    apply: Augment
    n_draws: int


@dataclass(frozen=True)
class Labelling:
    """What a training learns of an image, and how much it counts.

    Attributes:
        class_weights: Weight of an image by label, or by site and label (`cells_of`); 1 without.
        etiologies: The kinds of positives that targets tell apart, as in the manifest's column `etiology`.
    """

    class_weights: Mapping[str, float] | None = None
    etiologies: Sequence[str] = ()


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return the number of batches in which every image comes once; the last may be smaller."""
    return math.ceil(n_images / batch_size)


def plan_epoch(n_images: int, seed: int, epoch: int | tf.Tensor, n_draws: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Plan an epoch.

    Args:
        n_images: Rows of the manifest.
        seed: Of the training.
        epoch: Counted from 0.
        n_draws: Draws an image.

    Returns:
        The order, rows int64 `[n]`; and for each row of the manifest its draws from [0, 1), float32 `[n, n_draws]`.
    """
    pair = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    for_order, for_draws = tf.unstack(tf.random.split(pair, num=2, alg="philox"))
    order = tf.random.experimental.stateless_shuffle(tf.range(n_images, dtype=tf.int64), for_order, alg="philox")
    return order, tf.random.stateless_uniform([n_images, n_draws], for_draws, alg="philox")


def _filled_up(rows: tf.Tensor, batch_size: int) -> tf.Tensor:
    """Return rows with the first of them once more at their end, so that they are a whole number of batches."""
    n_rows = tf.shape(rows)[0]
    wanted = -(-n_rows // batch_size) * batch_size
    return tf.gather(rows, tf.range(wanted) % n_rows)


def make_train_input(
    store: PixelStore,
    manifest: pd.DataFrame,
    batching: Batching,
    *,
    memory_limit_mb: int,
    augmentation: Augmentation | None = None,
    labelling: Labelling = Labelling(),
) -> tf.data.Dataset:
    """Make the endless input of a training, each epoch in another order.

    Args:
        store: Has the pixels.
        manifest: One row per image, with sha256, label and target.
        batching: Which images come in which batch.
        memory_limit_mb: Pixels of up to this size (in 10^6 bytes) are held in memory, more are streamed.
        augmentation: What changes the images.
        labelling: Targets and weights; without, the two classes, all of the same weight.

    Returns:
        Images `[b, size, size, 1]` (uint8, or as the augmentation gives them), targets, weights float32 `[b]`;
        `steps_per_epoch` batches an epoch. Targets are float32 `[b, 1]`; with etiologies a pair of these and of 1
        in the column of the negative class or of the etiology, 0 elsewhere, `[b, 1 + k]`.
    """
    read = _make_reader(store, manifest, memory_limit_mb)
    targets, kinds = _targets(manifest), _kinds(manifest, labelling.etiologies)
    cells = cells_of(manifest)
    weights = _on_cpu(cells.map(labelling.class_weights or dict.fromkeys(cells, 1.0)), np.float32)

    def plan(epoch: tf.Tensor) -> tf.data.Dataset:
        n_draws = augmentation.n_draws if augmentation else 0
        rows, draws = plan_epoch(len(manifest), batching.seed, epoch, n_draws)
        if batching.whole:
            rows = _filled_up(rows, batching.size)
        return tf.data.Dataset.from_tensor_slices((rows, tf.gather(draws, rows))).batch(batching.size)

    def load(rows: tf.Tensor, draws: tf.Tensor) -> tuple:
        images = read(rows)
        if augmentation:
            images = augmentation.apply(images, draws)
        chosen, weight = tf.gather(targets, rows), tf.gather(weights, rows)
        if not labelling.etiologies:
            return images, chosen, weight
        return images, (chosen, tf.gather(kinds, rows)), weight

    # Each epoch is shuffled and cut into batches, then these are read, augmented and weighted; some wait, prefetched.
    epochs = tf.data.Dataset.range(batching.first_epoch, tf.int64.max)
    batches = epochs.flat_map(plan).map(load, num_parallel_calls=PARALLEL_BATCHES, deterministic=True)
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return _without_autotuner(batches.apply(endless).prefetch(PREFETCH_BATCHES))


def make_eval_input(
    store: PixelStore, manifest: pd.DataFrame, *, batch_size: int, memory_limit_mb: int
) -> tf.data.Dataset:
    """Make the input of an evaluation: the manifest's order, nothing random, once through.

    Args:
        store: Has the pixels.
        manifest: One row per image, with sha256 and target.
        batch_size: Images in a batch.
        memory_limit_mb: As in `make_train_input`.

    Returns:
        Images uint8 `[b, size, size, 1]` and targets float32 `[b, 1]`.
    """
    read = _make_reader(store, manifest, memory_limit_mb)
    targets = _targets(manifest)
    rows = tf.data.Dataset.range(len(manifest)).batch(batch_size)
    batches = rows.map(
        lambda rows: (read(rows), tf.gather(targets, rows)),
        num_parallel_calls=PARALLEL_BATCHES,
        deterministic=True,
    )
    return _without_autotuner(batches.prefetch(PREFETCH_BATCHES))


def _without_autotuner(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switch tf.data's autotuner off: it holds back an iterator's end for up to as long as the iterator lived."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _make_reader(store: PixelStore, manifest: pd.DataFrame, memory_limit_mb: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function from rows of the manifest to their images, uint8 `[b, size, size, 1]`."""
    stored_rows = store.rows(pixel_keys(manifest))
    megabytes = len(manifest) * store.record_bytes / 1e6
    what = f"{len(manifest):,} images of {store.image_size} px ({megabytes:,.0f} MB)"
    if megabytes <= memory_limit_mb:
        logger.debug("Input: %s, held in memory.", what)
        pixels = _load(store, stored_rows)
        return lambda rows: tf.gather(pixels, rows)
    logger.debug("Input: %s, streamed: more than inputs.memory_limit_mb=%d.", what, memory_limit_mb)

    def fetch(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        with _reads:
            return store.read(stored_rows[rows])

    def read(rows: tf.Tensor) -> tf.Tensor:
        images = tf.numpy_function(fetch, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [None, store.image_size, store.image_size, 1])

    return read


def _load(store: PixelStore, stored_rows: npt.NDArray[np.int64]) -> tf.Variable:
    """Return stored images as a variable: tf.data would copy a plain tensor into each of its iterators."""
    with tf.device("CPU:0"):
        shape = [len(stored_rows), store.image_size, store.image_size, 1]
        pixels = tf.Variable(tf.zeros(shape, tf.uint8), trainable=False)
        for start in range(0, len(stored_rows), LOADED_AT_ONCE):
            images = store.read(stored_rows[start : start + LOADED_AT_ONCE])
            pixels[start : start + len(images)].assign(images)
    return pixels


class _Reads:
    """Knows whether threads of tf.data read images in Python.

    At the interpreter's exit such a thread would be killed while reading, and the dataset that it belongs to would
    wait for it forever. A dataset stops reading by itself once its buffers are full.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._ended = -math.inf
        atexit.register(self._finish)

    def __enter__(self) -> None:
        with self._lock:
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            self._ended = time.monotonic()

    def _finish(self) -> None:
        for _ in range(100):
            if not self._running and time.monotonic() - self._ended > 1:
                break
            time.sleep(0.1)


_reads = _Reads()


def _targets(manifest: pd.DataFrame) -> tf.Tensor:
    """Return the targets, float32 `[n, 1]`."""
    return _on_cpu(manifest["target"].to_numpy()[:, None], np.float32)


def _kinds(manifest: pd.DataFrame, etiologies: Sequence[str]) -> tf.Tensor:
    """Return 1 in the column of the negative class (the first) or of the etiology, float32 `[n, 1 + k]`.

    Of a positive whose etiology is not known, the columns of all etiologies share the 1: any of them is right.
    """
    if not etiologies:
        return None
    columns = [manifest["target"] == 0, *(manifest["etiology"] == etiology for etiology in etiologies)]
    kinds = np.stack(columns, axis=1).astype(np.float32)
    kinds[kinds.sum(axis=1) == 0, 1:] = 1 / len(etiologies)
    return _on_cpu(kinds, np.float32)


def _on_cpu(values: npt.ArrayLike, dtype: type[np.generic]) -> tf.Tensor:
    """Return a tensor in main memory, where tf.data works, also on a machine with a GPU."""
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(np.asarray(values, dtype))
