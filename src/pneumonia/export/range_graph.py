"""The distance from the training images (`pneumonia.predictor.image_range`) as part of a Keras graph."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pneumonia.predictor.image_range import (
    BRIGHT,
    FEATURES,
    GREY,
    THUMBNAIL,
    cell_starts,
    rim_height,
    unpack_distance,
)

if TYPE_CHECKING:
    from keras import KerasTensor

KINDS = (GREY, FEATURES)


def measure_distances(values: "KerasTensor", features: "KerasTensor", image_range: dict[str, Any]) -> "KerasTensor":
    """Return the distances of `KINDS`, in bounds, `[n, 2]`: an image is out of range where the larger is above 1.

    Args:
        values: Grey values, float32 `[n, size, size, 1]`.
        features: The network's pooled features, `[n, k]`.
        image_range: The record of `image_range.fit_range`.
    """
    from keras import ops

    described = {GREY: grey_description(values), FEATURES: features}
    parts = image_range["parts"]
    units = [parts[kind]["unit"] * image_range["bound"] for kind in KINDS]
    found = [_distance(described[kind], parts[kind]) / unit for kind, unit in zip(KINDS, units, strict=True)]
    return ops.concatenate(found, axis=1)


def grey_description(values: "KerasTensor") -> "KerasTensor":
    """Describe images as `image_range.describe_grey` does, float32 `[n, 263]`."""
    from keras import ops

    grey = values[..., 0]
    size = grey.shape[1]
    cells = _cell_means(size)
    thumbnails = ops.matmul(ops.transpose(ops.matmul(grey, cells), (0, 2, 1)), cells)
    thumbnails = ops.reshape(ops.transpose(thumbnails, (0, 2, 1)), (-1, THUMBNAIL**2))
    centred = thumbnails - ops.mean(thumbnails, axis=1, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(centred), axis=1, keepdims=True))
    mean = _mean(grey)
    edges = ops.log(1.0 + _mean(ops.abs(grey[:, :, 1:] - grey[:, :, :-1])))
    spread = ops.log(1.0 + ops.sqrt(_mean(ops.square(grey - mean[:, :, None]))))
    margin = rim_height(size)
    rim = (_mean(grey[:, :margin]) + _mean(grey[:, size - margin :])) / 2.0
    is_darkest = ops.cast(ops.equal(grey, ops.min(grey, axis=(1, 2), keepdims=True)), "float32")
    is_bright = ops.cast(ops.greater_equal(grey, float(BRIGHT)), "float32")
    figures = [edges, spread, edges - spread, mean / 255.0, rim / 255.0]
    shares = [ops.sqrt(_mean(is_darkest)), ops.sqrt(_mean(is_bright))]
    return ops.concatenate([centred / (deviation + 1.0), *figures, *shares], axis=1)


def _mean(grey: "KerasTensor") -> "KerasTensor":
    """Return the mean of each image, `[n, 1]`."""
    from keras import ops

    return ops.mean(grey, axis=(1, 2), keepdims=True)[:, :, 0]


def _cell_means(size: int) -> npt.NDArray[np.float32]:
    """Return the matrix that takes a row of an image to the means of its cells, `[size, 16]`."""
    starts = cell_starts(size)
    widths = np.diff(np.append(starts, size))
    return np.repeat(np.diag(1 / widths), widths, axis=0).astype(np.float32)


def _distance(description: "KerasTensor", record: dict[str, Any]) -> "KerasTensor":
    """Return the squared distance of `image_range.distances`, `[n, 1]`.

    The rest is what is left when the components are taken away, not a difference of sums: that would be lost in
    float32.
    """
    from keras import ops

    fitted = unpack_distance(record)
    mean, scale, components, variances = (values.astype(np.float32) for values in fitted[:4])
    centred = (description - mean) / scale
    along = ops.matmul(centred, components.T)
    rest = centred - ops.matmul(along, components)
    return ops.sum(ops.square(along) / variances, axis=1, keepdims=True) + (
        ops.sum(ops.square(rest), axis=1, keepdims=True) / float(fitted.noise)
    )
