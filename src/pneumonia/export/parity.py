"""The parity check: whether exported files, run in the runtimes that users will use, match the Keras model."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats, Pixels
from pneumonia.base.errors import UserError
from pneumonia.base.progress import follow
from pneumonia.base.startup import held_back_stderr
from pneumonia.export.convert import ANSWER, DISTANCE, IMAGE, LITERT, ONNX, PROBABILITY, SAVED_MODEL, Files
from pneumonia.model.lineage import weights_digest
from pneumonia.model.predict import stored_parts
from pneumonia.pixels.store import PixelStore, pixel_keys
from pneumonia.predictor.predictor import Predictor

Tensors = dict[str, npt.NDArray[np.float32]]
ForwardPass = Callable[[Pixels], Tensors]  # one forward pass

COMPARED = ("val", "test")
FORMATS = (ONNX, LITERT, SAVED_MODEL)
TOLERANCE = 1e-4  # of probabilities
DISTANCE_TOLERANCE = 1e-3  # of distances, as a share of the distance or the bound, whichever is larger
BATCH_SIZE = 64
ALONE = 256  # largest number of images that are also judged one by one


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


class Outputs(NamedTuple):
    """The outputs for images: `[n]` each; distances by `KINDS`, in bounds, `[n, 2]`."""

    probability: Floats
    distance: Floats
    answer: npt.NDArray[np.int64]


class Difference(TypedDict):
    """How the outputs of a file differ from Keras's for `n` images: see `compare`."""

    n: int
    largest_difference: float | None
    decision_flips: int
    largest_distance_difference: float | None
    range_flips: int
    wrong_answers: int


Formats = dict[str, dict[str, Difference]]  # by format and batch size


class ExportParity(TypedDict):
    """The record of `measure_parity`."""

    weights_sha256: str
    sha256: dict[str, str]
    images: dict[str, int]
    tolerance: float
    distance_tolerance: float
    formats: Formats
    failures: list[str]


def measure_parity(files: Files, predictor: Predictor, split_manifest: pd.DataFrame, store: PixelStore) -> ExportParity:
    """Compare exported files with the Keras model on all images of validation and test.

    Args:
        files: The export.
        predictor: The model with its decision and its range.
        split_manifest: One row per image.
        store: Has the pixels.

    Returns:
        `weights_sha256` of the model, `sha256` of each file, `images` by split, the tolerances; `formats`: for each and
        each batch size the record of `compare`; `failures`: sentences, none if the check passed.
    """
    rows = split_manifest[split_manifest["split"].isin(COMPARED)].reset_index(drop=True)
    alone = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, ALONE).astype(np.int64))]
    with follow((2 + len(FORMATS)) * len(rows) + len(FORMATS) * len(alone), "Comparing") as advance:
        expected = _ask_keras(predictor, store, pixel_keys(rows))
        advance(len(rows))
        formats: Formats = {}
        for name in FORMATS:
            judge = open_exported(name, files)
            formats[name] = {}
            for batch_size, chosen in ((BATCH_SIZE, rows), (1, alone)):
                found = _ask(judge, store, pixel_keys(chosen), batch_size)
                same = Outputs(*(values[chosen.index] for values in expected))
                formats[name][f"batch_{batch_size}"] = compare(same, found, predictor)
                advance(len(chosen))
    return {
        "weights_sha256": weights_digest(predictor.model),
        "sha256": digests(files),
        "images": rows["split"].value_counts().to_dict(),
        "tolerance": TOLERANCE,
        "distance_tolerance": DISTANCE_TOLERANCE,
        "formats": formats,
        "failures": list_failures(formats),
    }


def digests(files: Files) -> dict[str, str]:
    """Return the SHA-256 of each file by its path."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def compare(expected: Outputs, found: Outputs, predictor: Predictor) -> Difference:
    """Compare two sets of outputs for the same images.

    Returns:
        `n`; `largest_difference` of probabilities; `decision_flips`, whichever images are in range;
        `largest_distance_difference` (as a share, see `DISTANCE_TOLERANCE`); `range_flips`; and `wrong_answers`: those
        that do not follow from the file's own probabilities and distances. None for a difference if an output is not
        finite.
    """
    scale = np.maximum(np.abs(expected.distance), 1.0)
    threshold, ruled = predictor.decision["threshold"], predictor.answer(found.probability, found.distance)
    flips = (expected.probability >= threshold) != (found.probability >= threshold)
    moves = (expected.distance.max(axis=1) > 1) != (found.distance.max(axis=1) > 1)
    return {
        "n": len(flips),
        "largest_difference": _largest(found.probability - expected.probability),
        "decision_flips": int(flips.sum()),
        "largest_distance_difference": _largest((found.distance - expected.distance) / scale),
        "range_flips": int(moves.sum()),
        "wrong_answers": int((found.answer != ruled).sum()),
    }


def list_failures(formats: Formats) -> list[str]:
    """List the reasons why the check fails.

    Rounding may put an image whose distance equals the bound on either side of it, so only distances are held to a
    tolerance, and `range_flips` are just reported.
    """
    failures = []
    for name, by_batch in formats.items():
        for batch, record in by_batch.items():
            where = f"{name}, {batch.replace('_', ' size ')}"
            if not _within(record["largest_difference"], TOLERANCE):
                failures.append(f"{where}: probabilities differ by {record['largest_difference']}")
            if record["decision_flips"]:
                failures.append(f"{where}: {record['decision_flips']} of {record['n']:,} decisions flip")
            if not _within(record["largest_distance_difference"], DISTANCE_TOLERANCE):
                failures.append(f"{where}: distances differ by {record['largest_distance_difference']}")
            if record["wrong_answers"]:
                failures.append(f"{where}: {record['wrong_answers']} of {record['n']:,} answers break the rules")
    return failures


def check_parity(export_parity: ExportParity, files: Files) -> None:
    """Refuse files that do not pass the check.

    Raises:
        UserError: If they do not match the Keras model, or are not the files that were compared.
    """
    if failures := export_parity["failures"]:
        raise UserError(
            f"The exported files do not match the Keras model, so none was written: {'; '.join(failures)}. "
            "The figures are in export_parity. Install the releases in constraints.txt and export again."
        )
    if export_parity["sha256"] != digests(files):
        raise UserError("The exported files are not the ones that were compared. Run the whole pipeline again.")


def _ask_keras(predictor: Predictor, store: PixelStore, sha256s: pd.Series) -> Outputs:
    parts = [predictor.measure(pixels, BATCH_SIZE) for pixels in stored_parts(store, sha256s)]
    own, distance = (np.concatenate(of_one) for of_one in zip(*parts, strict=True))
    judged = predictor.judge(own, distance)
    return Outputs(judged["probability"], distance, judged["answer"])


def _ask(judge: ForwardPass, store: PixelStore, sha256s: pd.Series, batch_size: int) -> Outputs:
    parts = [judge_all(judge, pixels, batch_size) for pixels in stored_parts(store, sha256s)]
    said = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    probability, distance = (said[name].astype(np.float64) for name in (PROBABILITY, DISTANCE))
    return Outputs(probability[:, 0], distance, said[ANSWER][:, 0].astype(np.int64))


def _largest(differences: Floats) -> float | None:
    """Return the largest difference, whichever its sign; None if one is not finite, which JSON cannot hold."""
    largest = float(np.abs(differences).max())
    return largest if np.isfinite(largest) else None


def _within(difference: float | None, tolerance: float) -> bool:
    return difference is not None and difference <= tolerance
