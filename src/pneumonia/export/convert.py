"""From a Keras graph to files of other formats, through Keras' own exporters.

ONNX goes through tf2onnx, which `keras.Model.export` patches for NumPy 2; LiteRT through TensorFlow's converter.
"""

import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pneumonia.base.errors import UserError
from pneumonia.base.startup import held_back_stderr
from pneumonia.export.graph import IMAGE, OUTPUTS, complete_graph
from pneumonia.predictor.predictor import Predictor

Files = dict[str, bytes]  # contents by path

ONNX, LITERT, SAVED_MODEL = "model.onnx", "model.tflite", "saved_model"
NEEDED = ("tf2onnx", "onnx", "onnxruntime", "ai_edge_litert")


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
