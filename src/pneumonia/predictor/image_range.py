"""Whether an image is like the training images: its distance from them, and the bound above which it is not judged.

Two descriptions of an image are measured, each by its Mahalanobis distance from the training images:

* `grey`: the image at 16 x 16 grey values, standardised, and seven figures of its contrast, edges and brightness;
* `features`: the network's pooled features.

The distance is that of probabilistic principal components (Tipping and Bishop, J. R. Stat. Soc. B 61, 1999): the
covariance keeps its `q` largest directions and is shrunk to a common variance in all others, so that it can be inverted
even with few training images. Each distance is divided by its 99th percentile on the validation images; the larger of
the two is the image's distance, and the 99th percentile of that on validation is the bound.
"""

import base64
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pneumonia.metrics.metrics import Floats

Pixels = npt.NDArray[np.uint8]
Description = npt.NDArray[np.float32]

GREY, FEATURES = "grey", "features"
REASONS = {
    GREY: "unlike the training images in its grey values",
    FEATURES: "unlike the training images in the network's features",
}
OUTSIDE = 0.01  # share of the validation images beyond the bound
THUMBNAIL = 16  # grey values per side
# Most directions that are kept. Features of training images lie closer together than those of other images, and more
# directions would overfit that: with 64, one in sixty test images is out of range; with 16, one in eighty. Of the grey
# values, 64 directions found fewer drawn knees than 32.
COMPONENTS = {GREY: 32, FEATURES: 16}
IMAGES_PER_COMPONENT = 10  # at least; with fewer, the directions fit the sample's noise
EDGE = 1 / 16  # of the side, for the brightness at top and bottom
BRIGHT = 250  # grey level
LEAST_VARIANCE = 1e-6  # floor of the variances of the scaled values, along a direction and in the rest


def describe_grey(images: Pixels) -> Description:
    """Describe images, uint8 `[n, size, size, 1]`, by their grey values, `[n, 263]`."""
    values = images[..., 0].astype(np.float32)
    thumbnails = _shrink(values).reshape(len(values), -1)
    spread = values.std(axis=(1, 2))
    thumbnails = (thumbnails - thumbnails.mean(axis=1, keepdims=True)) / (thumbnails.std(axis=1, keepdims=True) + 1)
    edges = np.log1p(np.abs(np.diff(values, axis=2)).mean(axis=(1, 2)))
    margin = rim_height(values.shape[1])
    rim = (values[:, :margin].mean(axis=(1, 2)) + values[:, -margin:].mean(axis=(1, 2))) / 2
    darkest = (values == values.min(axis=(1, 2), keepdims=True)).mean(axis=(1, 2))
    figures = [
        edges,
        np.log1p(spread),
        edges - np.log1p(spread),
        values.mean(axis=(1, 2)) / 255,
        rim / 255,
        np.sqrt(darkest),
        np.sqrt((values >= BRIGHT).mean(axis=(1, 2))),
    ]
    return np.column_stack([thumbnails, *figures]).astype(np.float32)


def cell_starts(size: int) -> npt.NDArray[np.int64]:
    """Return where the cells of the thumbnail begin in an image of this side, pixels, `[16]`."""
    return np.linspace(0, size, THUMBNAIL, endpoint=False).astype(np.int64)


def rim_height(size: int) -> int:
    """Return the height of the strips at top and bottom of an image of this side, pixels."""
    return max(1, round(EDGE * size))


def _shrink(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the mean grey values of 16 x 16 cells, `[n, 16, 16]`."""
    starts = cell_starts(values.shape[1])
    counts = np.diff(np.append(starts, values.shape[1])).astype(np.float32)
    sums = np.add.reduceat(np.add.reduceat(values, starts, axis=1), starts, axis=2)
    return sums / (counts[:, None] * counts)


def fit_distance(training: Description, most: int) -> dict[str, Any]:
    """Fit the distance from training images.

    Args:
        training: A description of each, `[n, k]`.
        most: Largest number of directions to keep.

    Returns:
        A record for `distances`: `n`, `mean`, `scale`, `components` `[q, k]`, `variances` `[q]`, `noise`.
    """
    values = training.astype(np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    # A floor on the deviations, so that what never varied is not divided by 0.
    scale = np.maximum(scale, 1e-3 * max(scale.max(), 1e-6)) if len(values) else scale
    centred = (values - mean) / scale
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variances, directions = variances[::-1], directions[:, ::-1]
    q = max(1, min(most, len(values) // IMAGES_PER_COMPONENT, len(variances) - 1))
    return {
        "n": len(values),
        "mean": _pack(mean),
        "scale": _pack(scale),
        "components": _pack(directions[:, :q].T),
        "variances": _pack(np.maximum(variances[:q], LEAST_VARIANCE)),
        "noise": float(max(variances[q:].mean(), LEAST_VARIANCE)),
    }


class Distance(NamedTuple):
    """A fitted distance as arrays: `mean` and `scale` `[k]`, `components` `[q, k]`, `variances` `[q]`, `noise`."""

    mean: Floats
    scale: Floats
    components: Floats
    variances: Floats
    noise: float


def unpack_distance(record: dict[str, Any]) -> Distance:
    """Return the arrays that a record of `fit_distance` holds."""
    mean, scale, variances = (_unpack(record[name]) for name in ("mean", "scale", "variances"))
    components = _unpack(record["components"]).reshape(len(variances), len(mean))
    return Distance(mean, scale, components, variances, record["noise"])


def distances(description: Description, record: dict[str, Any]) -> Floats:
    """Return the squared Mahalanobis distance of each image, `[n]`, from those of `fit_distance`."""
    fitted = unpack_distance(record)
    centred = (description.astype(np.float64) - fitted.mean) / fitted.scale
    along = centred @ fitted.components.T
    rest = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    squared: Floats = (along**2 / fitted.variances).sum(axis=1) + rest / fitted.noise
    return squared


def fit_range(training: dict[str, Description], validation: dict[str, Description]) -> dict[str, Any]:
    """Fit the range on training images, and set its bound so that 1% of the validation images lie outside.

    Args:
        training: Descriptions by kind (`grey`, `features`), `[n, k]` each.
        validation: The same of the validation images.

    Returns:
        `parts` (a distance for each kind, with its `unit`), `bound`, `outside`, and `fitted_on`.
    """
    parts = {}
    for kind, description in training.items():
        record = fit_distance(description, COMPONENTS[kind])
        unit = float(np.quantile(distances(validation[kind], record), 1 - OUTSIDE))
        parts[kind] = {**record, "unit": unit}
    largest = np.max(list(relative_distances(validation, parts).values()), axis=0)
    counts = {"train": len(next(iter(training.values()))), "val": len(largest)}
    return {"parts": parts, "bound": float(np.quantile(largest, 1 - OUTSIDE)), "outside": OUTSIDE, "fitted_on": counts}


def judge_range(descriptions: dict[str, Description], image_range: dict[str, Any]) -> tuple[Floats, list[str]]:
    """Tell which images are unlike the training images.

    Args:
        descriptions: By kind (`grey`, `features`), `[n, k]` each.
        image_range: The record of `fit_range`.

    Returns:
        The distance of each image, in bounds (above 1: out of range), `[n]`, and the reason: empty if in range.
    """
    relative = relative_distances(descriptions, image_range["parts"])
    kinds = list(relative)
    stacked = np.stack([relative[kind] for kind in kinds])
    distance = stacked.max(axis=0) / image_range["bound"]
    largest = stacked.argmax(axis=0)
    reasons = [REASONS[kinds[kind]] if beyond else "" for kind, beyond in zip(largest, distance > 1, strict=True)]
    return distance, reasons


def relative_distances(descriptions: dict[str, Description], parts: dict[str, Any]) -> dict[str, Floats]:
    """Return the distances of each image by kind, in units of that kind, `[n]` each; the bound is one for all kinds."""
    return {kind: distances(descriptions[kind], part) / part["unit"] for kind, part in parts.items()}


def _pack(values: npt.NDArray) -> str:
    """Write numbers as base64 of float32, little-endian: a tenth of their digits in JSON."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _unpack(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)
