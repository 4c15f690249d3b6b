"""One Keras graph with all outputs for an image, and from it the files of other formats, by Keras' own exporters.

Probability, calibration, decision, distance from the training images and the map of where the network looks are
computed inside, so that programs that use an exported model need not implement them. ONNX goes through tf2onnx, which
`keras.Model.export` patches for NumPy 2; LiteRT through TensorFlow's converter.
"""

import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Model
from pneumonia.base.errors import UserError
from pneumonia.base.startup import held_back_stderr
from pneumonia.metrics.calibration import Calibration
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.logistic import CLIP
from pneumonia.model.predict import FEATURES as LAST_MAPS
from pneumonia.model.predict import NetworkView, first_network, pooled_features, with_inner
from pneumonia.predictor.image_range import FEATURES, GREY, ImageRange, describe_values, range_distances
from pneumonia.predictor.predictor import Predictor

if TYPE_CHECKING:
    from keras import KerasTensor

IMAGE = "image"
PROBABILITY, ANSWER, DISTANCE = "probability", "answer", "distance"
MAP, ETIOLOGY = "map", "etiology"
OUTPUTS = (PROBABILITY, ANSWER, DISTANCE, MAP, ETIOLOGY)  # the last two where the network has them
LEAST = 1e-30  # keeps divisors above 0 where nothing supports the positive class

NEEDED = ("tf2onnx", "onnx", "onnxruntime", "ai_edge_litert")


def complete_graph(model: Model, decision: Decision, image_range: ImageRange) -> Model:
    """Return the graph that is exported.

    Args:
        model: The trained network, or an average of networks or views.
        decision: Calibration and threshold that belong to it.
        image_range: The record of `image_range.fit_range` that belongs to it.

    Returns:
        A model from `image`, uint8 `[n, size, size, 1]`, to a dictionary of float32: `probability` `[n, 1]`,
        calibrated; `answer`, int32 `[n, 1]`, a place in `predictor.answers`; `distance` `[n, 2]`, from the training
        images by `KINDS`, in bounds; `map` `[n, h, w]` of the first network's whole view, its peak at 1, if that has a
        class activation map; `etiology` `[n, 1 + k]` if the model distinguishes etiologies.
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
    described = {GREY: describe_values(values[..., 0], keras.ops), FEATURES: outputs.pop("features")}
    outputs[DISTANCE] = range_distances(described, image_range, keras.ops)
    outputs[PROBABILITY] = calibrate(outputs[PROBABILITY], decision["calibration"])
    outputs[ANSWER] = find_answer(outputs[PROBABILITY], outputs[DISTANCE], decision["threshold"])
    return keras.Model(image, {name: outputs[name] for name in OUTPUTS if name in outputs}, name="exported")


def calibrate(probability: "KerasTensor", calibration: Calibration) -> "KerasTensor":
    """Calibrate as `metrics.calibration.apply_calibration` does, in float32 without loss near 0 and 1."""
    from keras import ops

    if calibration["method"] == "logistic":
        log_odds = ops.log(ops.maximum(probability, CLIP)) - ops.log(ops.maximum(1.0 - probability, CLIP))
        return ops.sigmoid(calibration["slope"] * log_odds + calibration["intercept"])
    if calibration["method"] == "isotonic":
        x, y = (np.array(calibration[name], np.float32) for name in ("x", "y"))
        shares = ops.clip((probability - x[:-1]) / np.diff(x), 0.0, 1.0)
        return y[0] + ops.sum(shares * np.diff(y), axis=1, keepdims=True)
    return ops.copy(probability)


def find_answer(probability: "KerasTensor", distance: "KerasTensor", threshold: float) -> "KerasTensor":
    """Return the place of each image's answer in `predictor.answers`, int32 `[n, 1]`.

    Args:
        probability: Of the positive class, `[n, 1]`.
        distance: From the training images by `KINDS`, in bounds, `[n, 2]`.
        threshold: On the probability, compared as float64 would: by the next float32 that is no smaller.
    """
    from keras import ops

    least = np.float32(threshold)
    least = least if float(least) >= threshold else np.nextafter(least, np.float32(2))
    is_positive = ops.cast(ops.greater_equal(probability, least), "int32")
    by_features = ops.cast(ops.greater(distance[:, 1:], distance[:, :1]), "int32")
    is_inside = ops.less_equal(ops.max(distance, axis=1, keepdims=True), 1.0)
    return ops.where(is_inside, is_positive, 2 + by_features)


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


def _activation_map(view: NetworkView, kernel: npt.NDArray[np.float32]) -> "KerasTensor":
    """Weigh the last maps by what they add to the log-odds of the positive class, `[n, h, w]`, the peak of each at 1.

    With one mean for each map before the last layer this is the map of `pneumonia.model.predict`, without gradients.
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


Files = dict[str, bytes]  # contents by path

ONNX, LITERT, SAVED_MODEL = "model.onnx", "model.tflite", "saved_model"


def check_extra() -> None:
    """Refuse to start without the packages that conversion and comparison need.

    Raises:
        UserError: Naming the missing ones, and the extra that has them.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UserError(
            f"Exporting needs packages that are not installed: {', '.join(missing)}. Install them with: "
            'pip install -c constraints.txt -e ".[export]"'
        )


def convert_model(predictor: Predictor) -> Files:
    """Convert a model, with its decision, range and map inside, to every format.

    Returns:
        The files: `model.onnx`, `model.tflite`, and those of `saved_model/`.

    Raises:
        UserError: If the network has layers that tf2onnx does not convert.
    """
    import tensorflow as tf

    graph = complete_graph(predictor.model, predictor.decision, predictor.image_range)
    graph(np.zeros((1, *graph.input_shape[1:]), np.uint8))  # Keras exports only a model that was called
    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # operations of LiteRT, none that need TensorFlow
    with tempfile.TemporaryDirectory() as name, held_back_stderr(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*np.object", category=FutureWarning)  # Keras' patch of tf2onnx
        folder = Path(name)
        graph.export(folder / ONNX, format="onnx", verbose=False)
        graph.export(folder / SAVED_MODEL, format="tf_saved_model", verbose=False)
        graph.export(folder / LITERT, format="litert", verbose=False, target_spec=built_in)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return {**files, ONNX: _in_order(files[ONNX])}


def _in_order(content: bytes) -> bytes:
    """Put the outputs of an ONNX file in our order, and call the free dimension `n`.

    Raises:
        UserError: If it wants more than the image: tf2onnx makes inputs of tensors that a layer holds as constants.
    """
    import onnx

    model = onnx.load_from_string(content)
    if wanted := [value.name for value in model.graph.input if value.name != IMAGE]:
        raise UserError(
            f"This network cannot be exported: tf2onnx turns constants of its layers into inputs ({wanted[0]} is one "
            "of them). Export a model of residual_cnn or separable_cnn."
        )
    outputs = {output.name: output for output in model.graph.output}
    ordered = [outputs[name] for name in OUTPUTS if name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(ordered)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
