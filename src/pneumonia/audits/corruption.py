"""Corrupted images: nine kinds of corruption at three strengths.

Pure functions of the images and a seed. They stand in for another acquisition regime, about which validation on
unmodified images says little. Each kind changes every image by an amount drawn for that image; if a change has a
direction (brighter or darker), the direction is drawn too.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.random import Generator

STRENGTHS = (1, 2, 3)
UNDAMAGED = "none"  # the kind of unchanged images

# Amounts at strengths 1, 2 and 3. Lengths are shares of the image's side, so that they mean the same at any size.
AMOUNTS: dict[str, tuple[float, float, float]] = {
    "noise": (6.0, 12.0, 20.0),  # standard deviation, grey levels
    "blur": (0.006, 0.010, 0.016),  # standard deviation, share of the side
    "contrast": (0.3, 0.6, 0.9),  # |log of the factor about the image's mean|
    "brightness": (25.0, 45.0, 70.0),  # grey levels added or taken away
    "gamma": (0.3, 0.6, 0.9),  # |log of the exponent|
    "rotation": (7.0, 14.0, 22.0),  # degrees
    "scale": (0.08, 0.16, 0.25),  # |log of the factor|
    "crop": (0.08, 0.14, 0.20),  # share of the side cut away, the rest stretched back
    "jpeg": (40.0, 20.0, 10.0),  # libjpeg quality
}
KINDS = tuple(AMOUNTS)


def corrupt(images: np.ndarray, kind: str, strength: int, seed: int = 0, first: int = 0) -> np.ndarray:
    """Corrupt each image in one way at one strength.

    Args:
        images: uint8 `[n, size, size]`; not changed.
        kind: One of `KINDS`.
        strength: 1, 2 or 3.
        seed: The draws of image i of the set depend only on (seed, kind, strength, i).
        first: Number of the first of these images in the set, if they are a part of it.

    Returns:
        uint8, same shape, rounded and clipped.

    Raises:
        ValueError: For an unknown kind or strength, or images of another shape or type.
    """
    if kind not in AMOUNTS or strength not in STRENGTHS:
        raise ValueError(
            f"no corruption {kind!r} at strength {strength!r}; kinds: {', '.join(KINDS)}; strengths: 1, 2, 3"
        )
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"corruption takes uint8 [n, size, size], not {images.dtype} {list(images.shape)}")
    amount = AMOUNTS[kind][strength - 1]
    damaged = np.empty_like(images)
    for row, image in enumerate(images):
        rng = np.random.default_rng([seed, KINDS.index(kind), strength, first + row])
        damaged[row] = np.clip(np.rint(_DAMAGE[kind](image.astype(np.float32), amount, rng)), 0, 255)
    return damaged


def _noise(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    return image + rng.normal(0.0, amount, image.shape)


def _blur(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, amount * image.shape[0], mode="nearest")


def _contrast(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    mean = image.mean()
    return mean + (image - mean) * np.exp(_either_sign(amount, rng))


def _brightness(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    return image + _either_sign(amount, rng)


def _gamma(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    return 255.0 * (image / 255.0) ** np.exp(_either_sign(amount, rng))


def _rotation(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    angle = np.deg2rad(_either_sign(amount, rng))
    cosine, sine = np.cos(angle), np.sin(angle)
    return _affine(image, np.array([[cosine, -sine], [sine, cosine]]))


def _scale(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    return _affine(image, np.eye(2) * np.exp(-_either_sign(amount, rng)))


def _crop(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    from PIL import Image

    height, width = image.shape
    top, left = rng.uniform(0.0, amount, 2)
    box = (left * width, top * height, width * (1 - amount + left), height * (1 - amount + top))
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=box))


def _jpeg(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", quality=int(amount))
    return np.asarray(Image.open(file), dtype=np.float32)


def _either_sign(amount: float, rng: Generator) -> float:
    return amount if rng.random() < 0.5 else -amount


def _affine(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Resample about the centre, black outside: `matrix` maps output to input offsets (row, column)."""
    from scipy.ndimage import affine_transform

    centre = (np.array(image.shape) - 1) / 2
    return affine_transform(image, matrix, offset=centre - matrix @ centre, order=1, mode="constant", cval=0.0)


_DAMAGE: dict[str, Callable[[np.ndarray, float, Generator], np.ndarray]] = {
    "noise": _noise,
    "blur": _blur,
    "contrast": _contrast,
    "brightness": _brightness,
    "gamma": _gamma,
    "rotation": _rotation,
    "scale": _scale,
    "crop": _crop,
    "jpeg": _jpeg,
}
