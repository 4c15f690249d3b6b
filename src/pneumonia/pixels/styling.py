"""Two operations of the augmentation: an image takes a part of the style of another one of its batch.

`pneumonia.audits.style` does the same to validation images, with NumPy.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

LEAST_FREQUENCY = 4  # cycles per side; the frequencies below hold the anatomy and the framing, and stay
LARGEST_GAIN = 1.5  # largest change of an amplitude, |log of the factor|


def histogram(images: "tf.Tensor", draws: "tf.Tensor", share: float) -> "tf.Tensor":
    """Move the histogram of a share of the images towards that of another image of the batch (histogram matching).

    The classes may have been taken by other devices; then grey levels tell them apart. Takes whole grey levels. Draws:
    as `_pairs` says.
    """
    import tensorflow as tf

    rows, others, amount = _pairs(draws, share)
    levels = tf.reshape(tf.cast(images, tf.int32), [-1, images.shape[1] * images.shape[2]])
    counts = tf.cast(tf.math.bincount(levels, minlength=256, maxlength=256, axis=-1), tf.float32)
    upto = tf.cumsum(counts, axis=1)
    wanted = tf.searchsorted(tf.gather(upto, others), tf.gather(upto - counts / 2, rows))
    same = tf.range(256, dtype=tf.float32)
    moved = same + amount[:, None] * (tf.cast(wanted, tf.float32) - same)
    x = tf.gather(moved, tf.gather(levels, rows), batch_dims=1)
    return tf.tensor_scatter_nd_update(images, rows[:, None], tf.reshape(x, [-1, *images.shape[1:]]))


def spectrum(images: "tf.Tensor", draws: "tf.Tensor", share: float) -> "tf.Tensor":
    """Move sharpness and noise of a share of the images towards those of another image of the batch, clipped.

    They are the mean amplitude at each spatial frequency; phases, and with them the anatomy, stay. Yang and Soatto
    (2020, "FDA") exchange the lowest frequencies instead. Draws: as `_pairs` says.
    """
    import tensorflow as tf

    size = images.shape[1]
    rows, others, amount = _pairs(draws, share)
    frequency, n_frequencies = frequencies(size), size // 2 + 1
    waves = tf.signal.rfft2d(images[..., 0])
    every = tf.reshape(tf.math.log(tf.abs(waves) + 1e-3), [-1, frequency.size])
    amplitudes = tf.transpose(tf.math.unsorted_segment_mean(tf.transpose(every), frequency, n_frequencies))
    gap = tf.gather(amplitudes, others) - tf.gather(amplitudes, rows)
    gap = tf.minimum(tf.maximum(gap, -LARGEST_GAIN), LARGEST_GAIN) * amount[:, None]
    gap *= tf.cast(tf.range(n_frequencies) >= LEAST_FREQUENCY, tf.float32)
    gain = tf.cast(tf.reshape(tf.gather(tf.exp(gap), frequency, axis=1), [-1, size, n_frequencies]), waves.dtype)
    x = tf.signal.irfft2d(tf.gather(waves, rows) * gain, [size, size])[..., None]
    return tf.tensor_scatter_nd_update(images, rows[:, None], tf.minimum(tf.maximum(x, 0.0), 255.0))


def _pairs(draws: "tf.Tensor", share: float) -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
    """Return the rows of the images that are changed, those of their models, and how far they go, 0 to 1, `[m]` each.

    Draws: whether (under `share`), which of the other images of the batch, the square of how far (so that most go most
    of the way).
    """
    import tensorflow as tf

    n = tf.shape(draws, out_type=tf.int64)[0]
    rows = tf.where(draws[:, 0] < share)[:, 0]
    chosen = tf.gather(draws, rows)
    distance = 1 + tf.cast(chosen[:, 1] * tf.cast(n - 1, tf.float32), tf.int64)
    return rows, (rows + distance) % n, tf.sqrt(chosen[:, 2])


@cache
def frequencies(size: int) -> np.ndarray:
    """Return the spatial frequency of each wave of a real image, cycles per side, int32 `[size * (size // 2 + 1)]`."""
    vertical, horizontal = np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)
    return np.minimum(np.rint(np.hypot(vertical, horizontal)).astype(np.int32), size // 2).ravel()
