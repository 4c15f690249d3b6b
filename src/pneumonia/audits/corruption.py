"""What a network loses on corrupted images: nine kinds of corruption at three strengths.

The corruptions are pure functions of the images and a seed. They stand in for another acquisition regime, about which
validation on unmodified images says little. Each kind changes every image by an amount drawn for that image; if a
change has a direction (brighter or darker), the direction is drawn too.
"""

import io
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from numpy.random import Generator
from PIL import Image

from pneumonia.base.annotations import Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.progress import follow
from pneumonia.metrics.breakdowns import decided_row, paired_loss
from pneumonia.metrics.decisions import Decision
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, predict_stored
from pneumonia.pixels.store import PixelStores, pixel_keys

STRENGTHS = (1, 2, 3)
UNDAMAGED = "none"  # the kind of unchanged images
SCORE_COLUMNS = ["path", "group", "target", "kind", "strength", "probability"]
ROBUSTNESS_COLUMNS = [
    *("kind", "strength", "auc", "low", "high", "loss", "loss_low", "loss_high", "loss_joint_low"),
    *("sensitivity", "specificity", "n", "n_groups"),
]


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
    if kind not in CORRUPTIONS or strength not in STRENGTHS:
        raise ValueError(
            f"no corruption {kind!r} at strength {strength!r}; kinds: {', '.join(KINDS)}; strengths: 1, 2, 3"
        )
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"corruption takes uint8 [n, size, size], not {images.dtype} {list(images.shape)}")
    damage, amounts = CORRUPTIONS[kind]
    damaged = np.empty_like(images)
    for row, image in enumerate(images):
        rng = np.random.default_rng([seed, KINDS.index(kind), strength, first + row])
        damaged[row] = np.clip(np.rint(damage(image.astype(np.float32), amounts[strength - 1], rng)), 0, 255)
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
    height, width = image.shape
    top, left = rng.uniform(0.0, amount, 2)
    box = (left * width, top * height, width * (1 - amount + left), height * (1 - amount + top))
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=box))


def _jpeg(image: np.ndarray, amount: float, rng: Generator) -> np.ndarray:
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


# The kinds, each with its amounts at strengths 1, 2 and 3. Lengths are shares of the image's side, so that they mean
# the same at any size.
CORRUPTIONS: dict[str, tuple[Callable[[np.ndarray, float, Generator], np.ndarray], tuple[float, float, float]]] = {
    "noise": (_noise, (6.0, 12.0, 20.0)),  # standard deviation, grey levels
    "blur": (_blur, (0.006, 0.010, 0.016)),  # standard deviation, share of the side
    "contrast": (_contrast, (0.3, 0.6, 0.9)),  # |log of the factor about the image's mean|
    "brightness": (_brightness, (25.0, 45.0, 70.0)),  # grey levels added or taken away
    "gamma": (_gamma, (0.3, 0.6, 0.9)),  # |log of the exponent|
    "rotation": (_rotation, (7.0, 14.0, 22.0)),  # degrees
    "scale": (_scale, (0.08, 0.16, 0.25)),  # |log of the factor|
    "crop": (_crop, (0.08, 0.14, 0.20)),  # share of the side cut away, the rest stretched back
    "jpeg": (_jpeg, (40.0, 20.0, 10.0)),  # libjpeg quality
}
KINDS = tuple(CORRUPTIONS)


def damage_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict a sample of the test images, corrupted in each way.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `robustness`, `robustness_images`, `batch_size`, `seed`.

    Returns:
        path, group, target, kind, strength, probability: one row per image, kind and strength. No rows if the parameter
        `robustness` is off.
    """
    if not parameters.robustness:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    store = open_pixels(pixel_store, model_lineage)
    test = split_manifest[split_manifest["split"] == "test"]
    sample = test.sample(min(parameters.robustness_images, len(test)), random_state=parameters.seed).sort_index()
    ways, parts = list(product(KINDS, STRENGTHS)), []
    with follow(len(ways) * len(sample), "Corrupting test images") as advance:
        for kind, strength in ways:

            def change(images: Pixels, first: int, kind: str = kind, strength: int = strength) -> Pixels:
                return corrupt(images[..., 0], kind, strength, parameters.seed, first)[..., None]

            probability = predict_stored(pneumonia_model, store, pixel_keys(sample), parameters.batch_size, change)
            parts.append(sample.assign(kind=kind, strength=strength, probability=probability)[SCORE_COLUMNS])
            advance(len(sample))
    return pd.concat(parts, ignore_index=True)


def measure_robustness(damaged_scores: pd.DataFrame, scores: pd.DataFrame, decision: Decision) -> pd.DataFrame:
    """Measure the network on corrupted test images and on the same images unmodified.

    Args:
        damaged_scores: The table of `damage_images`.
        scores: The network's own probabilities of the unmodified images.
        decision: The record by which probabilities become decisions.

    Returns:
        kind, strength (0: unmodified), auc, low, high, `loss` of AUC with its paired bounds and `loss_joint_low`, the
        lower bound that holds for all kinds of a strength together, sensitivity, specificity, n, n_groups. No rows if
        nothing was corrupted.
    """
    if damaged_scores.empty:
        return pd.DataFrame(columns=ROBUSTNESS_COLUMNS)
    clean = scores[scores["path"].isin(damaged_scores["path"])]
    parts = [((UNDAMAGED, 0), clean), *damaged_scores.groupby(["kind", "strength"], sort=False)]
    rows = [
        {"kind": kind, "strength": strength}
        | decided_row(images, decision)
        | paired_loss("loss", clean, images, of=len(KINDS))
        for (kind, strength), images in parts
    ]
    return pd.DataFrame(rows)[ROBUSTNESS_COLUMNS]
