"""One Keras graph with all outputs for an image, from which every format is converted.

Probability, distance from the training images and the map of where the network looks are computed inside, so that
programs that use an exported model need not implement them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Model
from pneumonia.export.range_graph import measure_distances
from pneumonia.model.predict import FEATURES as LAST_MAPS
from pneumonia.model.predict import View, first_network, pooled_features, with_inner

if TYPE_CHECKING:
    from keras import KerasTensor

IMAGE = "image"
PROBABILITY, DISTANCE, MAP, ETIOLOGY = "probability", "distance", "map", "etiology"
OUTPUTS = (PROBABILITY, DISTANCE, MAP, ETIOLOGY)  # in this order; the last two where the network has them
ROUNDED = (PROBABILITY, ETIOLOGY)  # what survives 8 bits; distances and maps do not
LEAST = 1e-30  # keeps divisors above 0 where nothing supports the positive class


def complete_graph(model: Model, image_range: dict[str, Any]) -> Model:
    """Return the graph that is exported.

    Args:
        model: The trained network, or an average of networks or views.
        image_range: The record of `image_range.fit_range` that belongs to it.

    Returns:
        A model from `image`, uint8 `[n, size, size, 1]`, to a dictionary of float32: `probability` `[n, 1]`; `distance`
        `[n, 2]`, from the training images by `KINDS`, in bounds; `map` `[n, h, w]` of the first network's whole view,
        its peak at 1, if that has a class activation map; `etiology` `[n, 1 + k]` if the model distinguishes
        etiologies.
    """
    import keras

    twin, views = with_inner(model, lambda network: [pooled_features(network), network.get_layer(LAST_MAPS).output])
    tensors = dict(zip((PROBABILITY, ETIOLOGY), twin.outputs, strict=False))
    tensors["features"] = views[0].inner[0]
    whole = next((view for view in views if view.image is twin.inputs[0]), None)
    last = _dense_on_pooled(model)
    if whole is not None and last is not None:
        tensors[MAP] = _activation_map(whole, keras.ops.convert_to_numpy(last.kernel))
    image = keras.Input(model.input_shape[1:], dtype="uint8", name=IMAGE)
    values = keras.ops.cast(image, "float32")
    outputs = keras.Model(twin.inputs, tensors)(values)
    outputs[DISTANCE] = measure_distances(values, outputs.pop("features"), image_range)
    return keras.Model(image, {name: outputs[name] for name in OUTPUTS if name in outputs}, name="exported")


def _dense_on_pooled(model: Model) -> Any:
    """Return the first network's last layer, if it weighs the means of the last maps; else None."""
    from keras import layers

    network = first_network(model)
    last = next(layer for layer in network.layers[::-1] if hasattr(layer, "kernel"))
    below = last.input._keras_history.operation
    while isinstance(below, layers.Dropout):
        below = below.input._keras_history.operation
    pools = isinstance(below, layers.GlobalAveragePooling2D)
    return last if pools and below.input is network.get_layer(LAST_MAPS).output else None


def _activation_map(view: View, kernel: npt.NDArray[np.float32]) -> "KerasTensor":
    """Weigh the last maps by what they add to the log-odds of the positive class, `[n, h, w]`, the peak of each at 1.

    With one mean for each map before the last layer this is the map of `pneumonia.model.grad_cam`, without gradients.
    Of several etiologies each counts by its share of the positive probability, which is its share of the gradient.

    Args:
        view: Its first inner tensors are the pooled features and the last maps, `[n, h, w, k]`.
        kernel: Of the last layer, `[k, 1]`, or `[k, 1 + e]` with the negative class first.
    """
    from keras import ops

    maps = view.inner[1]
    if kernel.shape[1] == 1:
        found = ops.matmul(maps, kernel)[..., 0]
    else:
        shares = view.outputs[1][:, 1:]
        shares = shares / (ops.sum(shares, axis=1, keepdims=True) + LEAST)
        weights = ops.matmul(shares, kernel[:, 1:].T) - kernel[:, 0]
        found = ops.sum(maps * weights[:, None, None, :], axis=-1)
    found = ops.relu(found)
    return found / (ops.max(found, axis=(1, 2), keepdims=True) + LEAST)
