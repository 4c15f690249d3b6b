"""Exported files, each run in the runtime that users will use."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Pixels
from pneumonia.base.startup import held_back_stderr
from pneumonia.export.convert import ONNX, SAVED_MODEL, Files
from pneumonia.export.graph import IMAGE

Tensors = dict[str, npt.NDArray[np.float32]]
ForwardPass = Callable[[Pixels], Tensors]  # one forward pass


def open_exported(name: str, files: Files, threads: int = 0) -> ForwardPass:
    """Open an exported model.

    LiteRT computes a black image immediately, because only then does it refuse a file that it cannot compute.

    Args:
        name: `model.onnx`, one of the `.tflite` files, or `saved_model`.
        files: The export.
        threads: Number of threads for ONNX and LiteRT; 0: they choose.

    Returns:
        A function from images, uint8 `[n, size, size, 1]`, to all outputs by name.

    Raises:
        RuntimeError: If LiteRT cannot compute the file.
    """
    if name == ONNX:
        return _open_onnx(files[name], threads)
    if name == SAVED_MODEL:
        return _open_saved_model(files)
    return _open_litert(files[name], threads)


def judge_all(judge: ForwardPass, images: Pixels, batch_size: int) -> Tensors:
    """Return all outputs for images in memory, batch by batch."""
    parts = [judge(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _open_onnx(content: bytes, threads: int) -> ForwardPass:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {IMAGE: images}), strict=True))


def _open_litert(content: bytes, threads: int) -> ForwardPass:
    from ai_edge_litert.interpreter import Interpreter

    # This interpreter lacks TensorFlow's operations: a file that needs them cannot be opened.
    with held_back_stderr():
        interpreter = Interpreter(model_content=content, num_threads=threads or None)
        runner = interpreter.get_signature_runner()
        runner(**{IMAGE: np.zeros(interpreter.get_input_details()[0]["shape"], np.uint8)})
    return lambda images: runner(**{IMAGE: images})


def _open_saved_model(files: Files) -> ForwardPass:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        for path, content in files.items():
            if path.startswith(f"{SAVED_MODEL}/"):
                target = Path(name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        loaded = tf.saved_model.load(str(Path(name, SAVED_MODEL)))
    call = loaded.signatures["serving_default"]

    def judge(images: Pixels) -> Tensors:
        # The reference to `loaded` keeps its variables alive.
        assert loaded is not None
        return {name: values.numpy() for name, values in call(**{IMAGE: tf.constant(images)}).items()}

    return judge
