"""Whether an image is like the training images: its distance from them, and the bound above which it is not judged.

Two descriptions of an image are measured, each by its Mahalanobis distance from the training images:

* `grey`: the image at 16 x 16 grey values, standardised, and seven figures of its contrast, edges and brightness;
* `features`: the network's pooled features.

The distance is that of probabilistic principal components (Tipping and Bishop, J. R. Stat. Soc. B 61, 1999): the
covariance keeps its `q` largest directions and is shrunk to a common variance in all others, so that it can be inverted
even with few training images. Each distance is divided by its 99th percentile on the validation images; the larger of
the two is the image's distance. Its bound is that of conformal prediction: a new image, exchangeable with those of
validation, is out of range in at most 1 of 100 cases.
"""

import base64
from typing import Any, ClassVar, Literal, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from pneumonia.base.annotations import Pixels
from pneumonia.base.contract import RecordContract
from pneumonia.metrics.groups import conformal_quantile

Description = npt.NDArray[np.float32]

GREY, FEATURES = KINDS = ("grey", "features")
REASONS = {
    GREY: "unlike the training images in its grey values",
    FEATURES: "unlike the training images in the network's features",
}
# What is written as base64.
_PACKED: tuple[Literal["mean", "scale", "variances", "components"], ...] = ("mean", "scale", "variances", "components")
OUTSIDE = 0.01  # share of the validation images beyond the bound
THUMBNAIL = 16  # grey values per side
# Most directions that are kept. Features of training images lie closer together than those of other images, and more
# directions would overfit that: with 64, one in sixty test images is out of range; with 16, one in eighty. Of the grey
# values, 64 directions found fewer drawn knees than 32.
COMPONENTS = {GREY: 32, FEATURES: 16}
IMAGES_PER_COMPONENT = 10  # at least; with fewer, the directions fit the sample's noise
EDGE = 1 / 16  # of the side, for the brightness at top and bottom
BRIGHT = 250  # grey level
ROUNDING = 1e-9
LEAST_VARIANCE = 1e-6  # floor of the variances of the scaled values, along a direction and in the rest


class Distance(TypedDict):
    """How far images are from the training images by one description: see `fit_distance`."""

    n: int
    mean: str
    scale: str
    components: str
    variances: str
    noise: float
    unit: NotRequired[float]


class ImageRange(TypedDict):
    """The record of `fit_range`; `weights_sha256` names the model that it belongs to."""

    parts: dict[str, Distance]
    bound: float
    outside: NotRequired[float]
    fitted_on: NotRequired[dict[str, int]]
    weights_sha256: NotRequired[str]


def describe_grey(images: Pixels) -> Description:
    """Describe images, uint8 `[n, size, size, 1]`, by their grey values, `[n, 263]`."""
    described: npt.NDArray = describe_values(images[..., 0].astype(np.float32), np)
    return described.astype(np.float32)


def describe_values(grey: Any, xp: Any) -> Any:
    """Describe grey values, float32 `[n, size, size]`, `[n, 263]`, by NumPy (`xp`) or, in a graph, by `keras.ops`."""
    size = grey.shape[1]
    cells = _cell_means(size)
    thumbnails = xp.transpose(xp.matmul(xp.transpose(xp.matmul(grey, cells), (0, 2, 1)), cells), (0, 2, 1))
    thumbnails = xp.reshape(thumbnails, (-1, THUMBNAIL**2))
    thumbnails = thumbnails - xp.mean(thumbnails, axis=1, keepdims=True)
    deviation = xp.sqrt(xp.mean(xp.square(thumbnails), axis=1, keepdims=True))

    def mean(values: Any) -> Any:
        return xp.mean(values, axis=(1, 2), keepdims=True)[:, :, 0]

    margin = max(1, round(EDGE * size))  # height of the strips at top and bottom
    edges = xp.log(1 + mean(xp.abs(grey[:, :, 1:] - grey[:, :, :-1])))
    spread = xp.log(1 + xp.sqrt(mean(xp.square(grey - mean(grey)[:, :, None]))))
    rim = (mean(grey[:, :margin]) + mean(grey[:, size - margin :])) / 2
    darkest = xp.equal(grey, xp.min(grey, axis=(1, 2), keepdims=True))
    shares = [xp.sqrt(mean(xp.where(found, 1.0, 0.0))) for found in (darkest, xp.greater_equal(grey, BRIGHT))]
    figures = [edges, spread, edges - spread, mean(grey) / 255, rim / 255, *shares]
    return xp.concatenate([thumbnails / (deviation + 1), *figures], axis=1)


def _cell_means(size: int) -> npt.NDArray[np.float32]:
    """Return the matrix that takes a row of pixels to the means of its cells, `[size, 16]`."""
    starts = np.linspace(0, size, THUMBNAIL, endpoint=False).astype(np.int64)
    widths = np.diff(np.append(starts, size))
    return np.repeat(np.diag(1 / widths), widths, axis=0).astype(np.float32)


def fit_distance(training: Description, most: int) -> Distance:
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


def distances(description: Any, record: Distance, xp: Any = np) -> Any:
    """Return the squared Mahalanobis distance of each image, `[n]`, from those of `fit_distance`.

    Args:
        description: Of images, `[n, k]`.
        record: Of `fit_distance`.
        xp: NumPy, which computes in float64, or, in a graph, `keras.ops`, in float32.
    """
    precision = np.float64 if xp is np else np.float32
    packed = (record[name] for name in _PACKED)
    mean, scale, variances, components = (_unpack(text).astype(precision) for text in packed)
    components = components.reshape(len(variances), len(mean))
    centred = (description - mean) / scale
    along = xp.matmul(centred, components.T)
    # The rest is what is left without the components, not a difference of sums: that would be lost in float32.
    rest = centred - xp.matmul(along, components)
    return xp.sum(xp.square(along) / variances, axis=1) + xp.sum(xp.square(rest), axis=1) / record["noise"]


def fit_range(
    training: dict[str, Description], validation: dict[str, Description], groups: npt.NDArray | None = None
) -> ImageRange:
    """Fit the range on training images; set its bound so that of new images like those of validation 1% lie outside.

    Args:
        training: Descriptions by kind (`grey`, `features`), `[n, k]` each.
        validation: The same of the validation images.
        groups: Group of each validation image, `[n]`; each on its own if left out.

    Returns:
        `parts` (a distance for each kind, with its `unit`), `bound`, `outside`, and `fitted_on`.
    """
    parts: dict[str, Distance] = {}
    for kind, description in training.items():
        record = fit_distance(description, COMPONENTS[kind])
        unit = float(np.quantile(distances(validation[kind], record), 1 - OUTSIDE))
        parts[kind] = {**record, "unit": unit}
    largest = range_distances(validation, {"parts": parts, "bound": 1.0}).max(axis=1)
    groups = np.arange(len(largest)) if groups is None else groups
    counts = {
        "train": len(next(iter(training.values()))), "val": len(largest), "val_groups": len(np.unique(groups))
    }  # fmt: skip
    return {"parts": parts, "bound": conformal_bound(largest, groups), "outside": OUTSIDE, "fitted_on": counts}


def conformal_bound(distance: npt.NDArray, groups: npt.NDArray) -> float:
    """Return the distance that an image of a new group exceeds in at most 1 of 100 cases.

    It is that of `conformal_quantile`. With fewer than 99 groups there is none; then it is no less than all distances,
    and no less than the 99% prediction bound of normal logarithms of the groups' mean distances, which holds only as
    far as these are normal.

    Args:
        distance: Of the validation images, above 0, `[n]`.
        groups: Group of each, `[n]`.
    """
    from scipy.stats import t as student

    bound = conformal_quantile(distance, groups, OUTSIDE)
    if bound is not None:
        return bound * (1 + ROUNDING)
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    bound, n_groups = float(distance.max()), len(sizes)
    if n_groups > 1:
        logs = np.log(np.maximum(np.bincount(codes, distance) / sizes, ROUNDING))
        half_width = student.ppf(1 - OUTSIDE, n_groups - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / n_groups)
        bound = max(bound, float(np.exp(logs.mean() + half_width)))
    return bound * (1 + ROUNDING)


def range_distances(descriptions: dict[str, Any], image_range: ImageRange, xp: Any = np) -> Any:
    """Return the distances of images by kind, in bounds, `[n, kinds]`: above 1 in any, an image is out of range.

    Args:
        descriptions: By kind (`grey`, `features`), `[n, k]` each.
        image_range: The record of `fit_range`.
        xp: NumPy, or, in a graph, `keras.ops`.
    """
    parts = {kind: image_range["parts"][kind] for kind in KINDS if kind in descriptions}
    found = [distances(descriptions[kind], part, xp) / part["unit"] for kind, part in parts.items()]
    return xp.stack(found, axis=1) / image_range["bound"]


class _Part(BaseModel):
    mean: str
    scale: str
    components: str
    variances: str
    noise: float = Field(gt=0)
    unit: float = Field(gt=0)


class _Parts(BaseModel):
    grey: _Part
    features: _Part


class _Range(BaseModel):
    parts: _Parts
    bound: float = Field(gt=0)


class RangeContract(RecordContract):
    """Refuses a range of another layout.

    Example:
    ```yaml
    image_range:
      type: pneumonia.datasets.RecordDataset
      filepath: data/07_model_output/image_range.json
      validator: pneumonia.predictor.image_range.RangeContract
    ```
    """

    name: ClassVar[str] = "record image_range"
    layout = _Range

    def validate(self, data: Any) -> Any:
        """Return the range as it is.

        Raises:
            UserError: Naming the entries that are missing or wrong.
        """
        super().validate(data)
        problems = [f"parts.{kind}: its numbers do not fit" for kind in KINDS if not _fits(data["parts"][kind])]
        if problems:
            raise self.refusal(problems)
        return data


def _fits(part: Distance) -> bool:
    """Tell whether the packed numbers of a part are such, and as many as belong together."""
    try:
        mean, scale, variances, components = (_unpack(part[name]) for name in _PACKED)
    except ValueError:
        return False
    is_finite = all(np.isfinite(values).all() for values in (mean, scale, variances, components))
    is_square = 0 < len(mean) == len(scale) and len(variances) > 0 and len(components) == len(variances) * len(mean)
    return is_finite and is_square and bool((scale > 0).all() and (variances > 0).all())


def _pack(values: npt.NDArray) -> str:
    """Write numbers as base64 of float32, little-endian: a tenth of their digits in JSON."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _unpack(text: str) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), "<f4")
