"""Size and speed of an exported model in each format, beside the Keras model: one image, one core.

    python benchmarks/export.py [--data data/demo] [--rounds 30] [--passes 10] [--out FILE]

Reads the newest export of an environment (`kedro run --pipelines=export`) and the model that it was made from. The
process keeps to one core, and every format to one thread. A round times `passes` forward passes of each format on one
image in memory, one format after the other, so that other load on the machine affects all of them alike. Prints for
each format its size in MB (10^6 bytes), the ms per image (median and quartiles of the rounds), and how many times as
fast as Keras it is (median of the rounds); writes the same as JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from pneumonia.export.convert import LITERT, ONNX, SAVED_MODEL
from pneumonia.export.parity import open_exported
from pneumonia.predictor.predictor import Predictor

KERAS = "pneumonia_model.keras"


def main() -> None:
    """Time all formats in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/demo"), help="root of an environment with an export")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--passes", type=int, default=10, help="forward passes in a round, of each format")
    parser.add_argument("--out", type=Path, default=Path("build/benchmark_export.json"))
    arguments = parser.parse_args()
    keep_to_one_core()
    predictor, files = open_newest(arguments.data)
    size = predictor.image_size
    image = np.random.default_rng(0).integers(0, 256, (1, size, size, 1)).astype(np.uint8)
    judges = make_judges(predictor, files)
    for judge in judges.values():
        judge(image)
    seconds = {name: np.empty(arguments.rounds) for name in judges}
    for number in range(arguments.rounds):
        for name, judge in judges.items():
            seconds[name][number] = time_passes(judge, image, arguments.passes)
    megabytes = sizes(files) | {KERAS: model_file(arguments.data, predictor.version).stat().st_size / 1e6}
    results = [tabulate(name, megabytes[name], seconds[name], seconds[KERAS]) for name in judges]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    record = {"model": predictor.version, "rounds": arguments.rounds, "passes": arguments.passes, "formats": results}
    arguments.out.write_text(json.dumps(record, indent=2) + "\n")
    print(f"\nwritten: {arguments.out}")


def keep_to_one_core() -> None:
    """Keep this process, and TensorFlow in it, to one core. Call it before anything is computed."""
    import tensorflow as tf

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def open_newest(data: Path) -> tuple[Predictor, dict[str, bytes]]:
    """Open the newest export of an environment, and the model that it was made from."""
    folder = max((data / "06_models/exported").glob("*/exported"))
    version = json.loads((folder / "model.json").read_text(encoding="utf-8"))["versions"]["model"]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return Predictor.from_folder(data, version), files


def model_file(data: Path, version: str) -> Path:
    """Return the file of the Keras model."""
    return data / "06_models" / KERAS / version / KERAS


def make_judges(predictor: Predictor, files: dict[str, bytes]) -> dict[str, Callable[[Any], Any]]:
    """Return what is timed, by name: one forward pass of each format on one thread."""
    judges: dict[str, Callable[[Any], Any]] = {KERAS: predictor.model.predict_on_batch}
    for name in (SAVED_MODEL, ONNX, LITERT):
        if any(path.startswith(name) for path in files):
            judges[name] = open_exported(name, files, threads=1)
    return judges


def time_passes(judge: Callable[[Any], Any], image: Any, passes: int) -> float:
    """Return the mean seconds of a forward pass."""
    start = time.perf_counter()
    for _ in range(passes):
        judge(image)
    return (time.perf_counter() - start) / passes


def sizes(files: dict[str, bytes]) -> dict[str, float]:
    """Return the size of each format, MB."""
    return {
        name: sum(len(content) for path, content in files.items() if path.split("/")[0] == name) / 1e6
        for name in {path.split("/")[0] for path in files}
    }


def tabulate(name: str, megabytes: float, seconds: Any, keras: Any) -> dict[str, Any]:
    """Print a row of the table, and return it."""
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75]) * 1e3
    faster = float(np.median(keras / seconds))
    print(
        f"{name:24}{megabytes:6.1f} MB{middle:8.2f} ms ({low:.2f} to {high:.2f}){faster:8.1f} times Keras", flush=True
    )
    return {"name": name, "mb": megabytes, "ms": middle, "quartiles_ms": [low, high], "times_keras": faster}


if __name__ == "__main__":
    main()
