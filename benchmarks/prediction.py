"""Speed and memory of judging new images with a trained model.

    python benchmarks/prediction.py [--data data/demo] [--images PATH] [--counts 100 1000 10000] [--repeats 3]

Full-size JPEG files (1,000 to 2,000 pixels a side; drawn if no folder is named) are judged by `Predictor.predict` from
files to the table: read, checked, decoded, predicted, compared with the training images. Loading the model and the
first pass, which traces the network, are timed separately. Rates are images per second (the median of the repeats, the
lowest and the highest) and per CPU-second of this process. The memory is the peak of the process. Prints a table, and
writes it as JSON.
"""

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path
from typing import Any

from inputs import generate

from pneumonia.predictor.predictor import Predictor
from pneumonia.predictor.reading import Item

ROW = "{:>8}{:>10}{:>8}{:>9}{:>11}{:>12}"


def main() -> None:
    """Judge more and more images, and print what it took."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/demo"), help="root of an environment with a model")
    parser.add_argument("--images", type=Path, help="a folder of JPEG files; they are repeated")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("build/benchmark_prediction.json"))
    arguments = parser.parse_args()
    files = (
        [path.read_bytes() for path in sorted(arguments.images.rglob("*.jp*g"))] if arguments.images else generate(12)
    )
    start = time.monotonic()
    predictor = Predictor.from_folder(arguments.data)
    loading = time.monotonic() - start
    start = time.monotonic()
    # A whole batch and a partial one, which TensorFlow traces separately.
    predictor.predict(items(files, arguments.batch_size + 1), batch_size=arguments.batch_size)
    results: dict[str, Any] = {"cores": os.cpu_count(), "model": predictor.version, "loading_s": round(loading, 1)}
    results["first_pass_s"] = round(time.monotonic() - start, 1)
    print(f"loading {results['loading_s']} s, first pass {results['first_pass_s']} s")
    print(ROW.format("images", "images/s", "lowest", "highest", "per CPU-s", "memory, MB"))
    results["passes"] = []
    for count in sorted(arguments.counts):
        passes = [measure(predictor, files, count, arguments.batch_size) for _ in range(arguments.repeats)]
        results["passes"].append(summarize(count, passes))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {arguments.out}")


def items(files: list[bytes], count: int) -> list[Item]:
    """Return `count` images that are read from memory, so that the disk is not measured."""
    chosen = [files[index % len(files)] for index in range(count)]
    return [Item(f"{index}.jpeg", lambda data=data: data, len(data)) for index, data in enumerate(chosen)]


def measure(predictor: Predictor, files: list[bytes], count: int, batch_size: int) -> tuple[float, float]:
    """Judge `count` images, and return the rates per second and per CPU-second."""
    given = items(files, count)
    wall, cpu = time.monotonic(), time.process_time()
    predictor.predict(given, batch_size=batch_size)
    return count / (time.monotonic() - wall), count / (time.process_time() - cpu)


def summarize(count: int, passes: list[tuple[float, float]]) -> dict[str, Any]:
    """Print and return the rates of several passes, and the memory so far."""
    rates, cpu_rates = zip(*passes, strict=True)
    summary = {
        "images": count,
        "images_per_s": round(statistics.median(rates)),
        "lowest": round(min(rates)),
        "highest": round(max(rates)),
        "images_per_cpu_s": round(statistics.median(cpu_rates)),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(ROW.format(*summary.values()), flush=True)
    return summary


if __name__ == "__main__":
    main()
