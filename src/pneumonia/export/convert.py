"""From a Keras graph to files of other formats, through Keras' own exporters.

ONNX goes through tf2onnx, which `keras.Model.export` patches for NumPy 2; LiteRT through TensorFlow's converter.
"""

import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.errors import UserError
from pneumonia.base.quiet import held_back_stderr
from pneumonia.export.graph import IMAGE, OUTPUTS, ROUNDED, complete_graph
from pneumonia.pixels.store import PixelStore
from pneumonia.predictor.predictor import Predictor

Files = dict[str, bytes]  # contents by path

ONNX, LITERT, INT8, SAVED_MODEL = "model.onnx", "model.tflite", "model_int8.tflite", "saved_model"
SAMPLE = 200  # training images from which int8 takes the ranges of computed values
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


def convert_model(predictor: Predictor, split_manifest: pd.DataFrame, store: PixelStore) -> Files:
    """Convert a model, with its range and its map inside, to every format.

    Args:
        predictor: The model with its range.
        split_manifest: One row per image; a sample of train calibrates the ranges of int8.
        store: Has their pixels.
    """
    train = split_manifest.loc[split_manifest["split"] == "train", "sha256"]
    chosen = train.iloc[np.unique(np.linspace(0, len(train) - 1, SAMPLE).astype(np.int64))]
    graph = complete_graph(predictor.model, predictor.image_range)
    return convert(graph, store.read(store.rows(chosen)))


def convert(graph: Model, sample: npt.NDArray[np.uint8]) -> Files:
    """Convert a graph to every format.

    Args:
        graph: Made by `graph.complete_graph`.
        sample: Images that calibrate the ranges of int8, uint8 `[n, size, size, 1]`.

    Returns:
        The files: `model.onnx`, `model.tflite`, `model_int8.tflite`, and those of `saved_model/`.

    Raises:
        UserError: If the network has layers that tf2onnx does not convert.
    """
    import keras

    rounded = keras.Model(graph.input, {name: graph.output[name] for name in ROUNDED if name in graph.output})
    for model in (graph, rounded):
        model(sample[:1])  # Keras exports only a model that was called
    with tempfile.TemporaryDirectory() as name, held_back_stderr(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*np.object", category=FutureWarning)  # Keras' patch of tf2onnx
        folder = Path(name)
        graph.export(folder / ONNX, format="onnx", verbose=False)
        graph.export(folder / SAVED_MODEL, format="tf_saved_model", verbose=False)
        graph.export(folder / LITERT, format="litert", verbose=False, **_litert_options())
        rounded.export(folder / INT8, format="litert", verbose=False, **_litert_options(sample))
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return {**files, ONNX: _in_order(files[ONNX])}


def _litert_options(sample: npt.NDArray[np.uint8] | None = None) -> dict[str, Any]:
    """Return what the converter is told: operations of LiteRT alone, none that need TensorFlow; 8 bits for a sample."""
    import tensorflow as tf

    sets = tf.lite.OpsSet
    if sample is None:
        return {"target_spec": {"supported_ops": [sets.TFLITE_BUILTINS]}}

    def images() -> Iterator[list[npt.NDArray[np.uint8]]]:
        for image in sample:
            yield [image[None]]

    return {
        "target_spec": {"supported_ops": [sets.TFLITE_BUILTINS_INT8, sets.TFLITE_BUILTINS]},
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": images,
    }


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
