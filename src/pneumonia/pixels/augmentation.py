"""Random changes of training batches, as vectorised TensorFlow operations.

Nothing here draws a random number: each operation is a function of the images and of uniform draws in [0, 1), one row
per image, so that the look of an image depends only on the origin of its draws (seed, epoch, row) and, where it takes
the style of another one, on the batch. An operation takes float32 `[b, s, s, 1]` in 0..255 and draws `[b, k]`, and
returns images of the same shape, type and range; only the geometry may change their size. Lengths are shares of the
image's side.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pneumonia.base.parameters import AugmentationParameters
from pneumonia.pixels.styling import histogram, spectrum

if TYPE_CHECKING:
    import tensorflow as tf

NOISE_BANK = 64  # images of Gaussian noise to choose from
LARGEST = 0.4  # largest share of the side by which a rectangle may exceed the image
BLUR_RADIUS = 4  # taps on each side; at a standard deviation of 1.6 px it cuts off 0.5%
DRAWS = {
    "geometry": 8,
    "histogram": 3,
    "spectrum": 3,
    "gamma": 1,
    "contrast": 1,
    "brightness": 1,
    "sharpness": 2,
    "noise": 3,
    "erase": 6,
}
N_DRAWS = sum(DRAWS.values())


def augment(
    images: "tf.Tensor", draws: "tf.Tensor", strengths: AugmentationParameters, size: int | None = None
) -> "tf.Tensor":
    """Apply all operations that are switched on.

    Args:
        images: uint8 `[b, s, s, 1]`.
        draws: float32 `[b, N_DRAWS]`, uniform in [0, 1).
        strengths: How strong.
        size: Side of the returned images, pixels; by default that of the images.

    Returns:
        uint8 `[b, size, size, 1]`, rounded, so that the model sees the same type as in evaluation.
    """
    import tensorflow as tf

    s = strengths
    part = dict(zip(DRAWS, tf.split(draws, list(DRAWS.values()), axis=1), strict=True))
    size = size or images.shape[1]
    # The geometry comes first, on bytes: the projective kernel is twice as fast on them.
    if s.flip or s.rotation or s.shear or s.crop or s.zoom_out or size != images.shape[1]:
        images = geometry(images, part["geometry"], s, size)
    x = tf.cast(images, tf.float32)
    if s.histogram:
        x = histogram(x, part["histogram"], s.histogram)
    if s.spectrum:
        x = spectrum(x, part["spectrum"], s.spectrum)
    if s.gamma:
        x = gamma(x, part["gamma"], s.gamma)
    if s.contrast:
        x = contrast(x, part["contrast"], s.contrast)
    if s.brightness:
        x = brightness(x, part["brightness"], s.brightness)
    if s.blur or s.sharpen:
        x = sharpness(x, part["sharpness"], s.blur, s.sharpen)
    if s.noise:
        x = noise(x, part["noise"], s.noise)
    if s.erase:
        x = erase(x, part["erase"], s.erase)
    return tf.cast(tf.round(_clipped(x)), tf.uint8)


def _clipped(images: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    return tf.minimum(tf.maximum(images, 0.0), 255.0)  # faster than tf.clip_by_value


def geometry(images: "tf.Tensor", draws: "tf.Tensor", strengths: AugmentationParameters, size: int) -> "tf.Tensor":
    """Choose a rectangle, rotate, shear and mirror it, and make it a square, in one resampling.

    The random resized crop of Szegedy et al. (2015): a part of the image of random area, shape and position. Where a
    rotated rectangle reaches beyond the image, it shows the reflection, so that no border reveals how it was cut. Also
    the zoom out of Liu et al. (2016, SSD): a larger rectangle, with the image on black.

    Takes uint8 too. Draws: rotation and shear (0.5: none), mirror left to right (under `strengths.flip`), whether to
    crop (under `strengths.crop`) or to zoom out (from 1 - `strengths.zoom_out` on), area, ratio of the sides, position
    in x and y. Returns `[b, size, size, 1]`.
    """
    import tensorflow as tf

    side = images.shape[1]
    u = 2.0 * draws - 1.0
    angle, shear = u[:, 0] * (strengths.rotation * np.pi / 180.0), u[:, 1] * strengths.shear
    width, height = _rectangle(draws, strengths)
    mirrored = tf.where(draws[:, 2] < strengths.flip, -width, width)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    to_side = side / size
    a, b = to_side * mirrored * cosine, to_side * height * (shear * cosine - sine)
    c, d = to_side * mirrored * sine, to_side * height * (shear * sine + cosine)
    # The kernel maps pixels of the result, counted from their centres, to pixels of the image.
    x_centre = side * (width / 2 + draws[:, 6] * (1.0 - width)) - 0.5
    y_centre = side * (height / 2 + draws[:, 7] * (1.0 - height)) - 0.5
    middle, zero = (size - 1) / 2.0, tf.zeros_like(a)
    x_shift, y_shift = x_centre - (a + b) * middle, y_centre - (c + d) * middle
    shown = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, x_shift, c, d, y_shift, zero, zero], axis=1),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    if not strengths.zoom_out:
        return shown
    step, is_larger = tf.range(size, dtype=tf.float32), draws[:, 3] >= 1.0 - strengths.zoom_out
    pixel = tf.sqrt(tf.abs(a * d - b * c))[:, None, None]  # side of a pixel of the result, in pixels of the image
    a, b, c, d, x_shift, y_shift = (v[:, None, None] for v in (a, b, c, d, x_shift, y_shift))
    x, y = a * step + b * step[:, None] + x_shift, c * step + d * step[:, None] + y_shift
    inside = side / 2 - tf.maximum(tf.abs(x - (side - 1) / 2), tf.abs(y - (side - 1) / 2))
    # The share of each pixel that the image covers: without it, a rotated image would have staircases for edges.
    covered = tf.where(is_larger[:, None, None], tf.clip_by_value(inside / pixel + 0.5, 0.0, 1.0), 1.0)
    return tf.cast(tf.cast(shown, tf.float32) * covered[..., None], shown.dtype)


def _rectangle(draws: "tf.Tensor", strengths: AugmentationParameters) -> tuple["tf.Tensor", "tf.Tensor"]:
    """Return width and height of the rectangles as shares of the side, `[b]` each; 1 for the whole image."""
    import tensorflow as tf

    stretch = tf.exp((draws[:, 5] - 0.5) * strengths.crop_aspect)
    area = strengths.crop_area + (1.0 - strengths.crop_area) * draws[:, 4]
    is_cut, is_larger = draws[:, 3] < strengths.crop, draws[:, 3] >= 1.0 - strengths.zoom_out
    side = tf.where(is_cut, tf.sqrt(area), tf.where(is_larger, 1.0 + LARGEST * draws[:, 4], 1.0))
    stretch = tf.where(is_cut | is_larger, stretch, 1.0)
    width, height = side * stretch, side / stretch
    return tf.where(is_cut, tf.minimum(width, 1.0), width), tf.where(is_cut, tf.minimum(height, 1.0), height)


def gamma(images: "tf.Tensor", draws: "tf.Tensor", strength: float) -> "tf.Tensor":
    """Raise the grey level, as a share of 255, to a power of exp(+-strength) at most."""
    import tensorflow as tf

    power = tf.exp((2.0 * draws - 1.0) * strength)[:, :, None, None]
    # 255 (v / 255)^p as one exponential, which is vectorised on CPUs, unlike tf.pow; log 0 = -inf becomes black.
    return tf.exp(power * tf.math.log(images) + (1.0 - power) * float(np.log(255.0)))


def contrast(images: "tf.Tensor", draws: "tf.Tensor", strength: float) -> "tf.Tensor":
    """Stretch the grey levels about the image's mean by exp(+-strength) at most, not clipped."""
    import tensorflow as tf

    factor = tf.exp((2.0 * draws - 1.0) * strength)[:, :, None, None]
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return images * factor + mean * (1.0 - factor)


def brightness(images: "tf.Tensor", draws: "tf.Tensor", strength: float) -> "tf.Tensor":
    """Add +-strength grey levels at most, clipped to 0..255."""
    return _clipped(images + ((2.0 * draws - 1.0) * strength)[:, :, None, None])


def sharpness(images: "tf.Tensor", draws: "tf.Tensor", blur: float, sharpen: float) -> "tf.Tensor":
    """Blur a quarter of the images and sharpen an eighth, not clipped.

    Draws: what (under 1/4 blur, under 3/8 sharpen, else nothing) and how much: a Gaussian of at most `blur`
    pixels, or `image + amount * (image - blurred)` with a Gaussian of 1 px and at most `sharpen`.
    """
    import tensorflow as tf

    rows = tf.where(draws[:, 0] < 0.375)
    x, chosen = tf.gather_nd(images, rows), tf.gather_nd(draws, rows)
    blurs = chosen[:, :1] < 0.25
    sigma = tf.where(blurs, chosen[:, 1:] * blur, 1.0)[:, 0]
    amount = tf.where(blurs, 1.0, -chosen[:, 1:] * sharpen)[:, :, None, None]
    # The convolution refuses an empty batch: one more image goes in and is dropped.
    blurred = gaussian_blur(tf.concat([images[:1], x], 0), tf.concat([[1.0], sigma], 0))[1:]
    return tf.tensor_scatter_nd_update(images, rows, x + amount * (blurred - x))


def gaussian_blur(images: "tf.Tensor", sigma: "tf.Tensor") -> "tf.Tensor":
    """Blur each image by its own Gaussian, mirrored at the edges; `sigma` `[b]` in pixels, at most about 1.6."""
    import tensorflow as tf

    r = BLUR_RADIUS
    offsets = np.arange(-r, r + 1, dtype=np.float32)[:, None]
    weights = tf.exp(-0.5 * tf.square(offsets / tf.maximum(sigma, 1e-3)))
    weights /= tf.reduce_sum(weights, axis=0)
    # Images as channels: a depthwise convolution has one kernel per channel.
    x = tf.transpose(images, (3, 1, 2, 0))
    x = tf.pad(x, [[0, 0], [r, r], [r, r], [0, 0]], "SYMMETRIC")
    x = tf.nn.depthwise_conv2d(x, weights[:, None, :, None], [1, 1, 1, 1], "VALID")
    x = tf.nn.depthwise_conv2d(x, weights[None, :, :, None], [1, 1, 1, 1], "VALID")
    return tf.transpose(x, (3, 1, 2, 0))


def noise(images: "tf.Tensor", draws: "tf.Tensor", strength: float) -> "tf.Tensor":
    """Add Gaussian noise of at most `strength` grey levels, not clipped.

    Draws: which pattern of a fixed bank, its sign, and the square root of the share of the strength (so that
    most images get little).
    """
    import tensorflow as tf

    bank = tf.constant(_noise_bank(images.shape[1]))
    pattern = tf.gather(bank, tf.cast(draws[:, 0] * NOISE_BANK, tf.int32))
    signed = tf.sign(draws[:, 1] - 0.5) * strength * tf.square(draws[:, 2])
    return images + signed[:, None, None, None] * pattern


@cache
def _noise_bank(size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((NOISE_BANK, size, size, 1), dtype=np.float32)


def erase(images: "tf.Tensor", draws: "tf.Tensor", share: float) -> "tf.Tensor":
    """Paint a rectangle of one grey level over a share of the images.

    Draws: whether (under `share`), centre x and y, width and height (5% to 35% of the side), grey level.
    """
    import tensorflow as tf

    size = images.shape[1]
    position = (np.arange(size, dtype=np.float32) + 0.5) / size
    half = (0.05 + 0.30 * draws[:, 3:5]) / 2
    columns = tf.abs(position - draws[:, 1:2]) < half[:, :1]
    rows = tf.abs(position - draws[:, 2:3]) < half[:, 1:]
    inside = (draws[:, :1] < share)[:, :, None, None] & rows[:, :, None, None] & columns[:, None, :, None]
    return tf.where(inside, 255.0 * draws[:, 5:, None, None], images)
