"""Speed and memory of judging new images with a trained model.

    python benchmarks/prediction.py [--data data/demo] [--images PATH] [--counts 100 1000 10000] [--out FILE]

Full-size JPEG files (1,000 to 2,000 pixels a side; drawn where no folder of them is named) are judged by
`Predictor.predict` from files to the table: read, checked, decoded, predicted, compared with the training images.
Loading the model and the first pass, which traces the network, are timed apart. Rates are images per second and per
CPU-second of this process. The memory is the highest that the process ever had. Prints a table, and writes it as JSON.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

from inputs import generate

from pneumonia.predictor.predictor import Predictor
from pneumonia.predictor.reading import Item


def main() -> None:
    """Judge more and more images, and print what it took."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/demo"), help="root of an environment with a model")
    parser.add_argument("--images", type=Path, help="a folder of JPEG files; they are repeated")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 10_000])
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
    predictor.predict(items(files, arguments.batch_size), batch_size=arguments.batch_size)
    results: dict[str, Any] = {"cores": os.cpu_count(), "model": predictor.version, "loading_s": round(loading, 1)}
    results["first_pass_s"] = round(time.monotonic() - start, 1)
    print(f"loading {results['loading_s']} s, first pass {results['first_pass_s']} s")
    print(f"{'images':>8}{'images/s':>10}{'per CPU-s':>11}{'memory, MB':>12}")
    results["passes"] = [measure(predictor, files, count, arguments.batch_size) for count in sorted(arguments.counts)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {arguments.out}")


def items(files: list[bytes], count: int) -> list[Item]:
    """Return `count` images, which are read from memory: the disk is not what is measured."""
    chosen = [files[index % len(files)] for index in range(count)]
    return [Item(f"{index}.jpeg", lambda data=data: data, len(data)) for index, data in enumerate(chosen)]


def measure(predictor: Predictor, files: list[bytes], count: int, batch_size: int) -> dict[str, Any]:
    """Judge `count` images."""
    given = items(files, count)
    wall, cpu = time.monotonic(), time.process_time()
    predictor.predict(given, batch_size=batch_size)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:>8}{count / wall:>10.0f}{count / cpu:>11.0f}{memory:>12.0f}", flush=True)
    rates = {"images_per_s": round(count / wall), "images_per_cpu_s": round(count / cpu)}
    return {"images": count, **rates, "memory_mb": round(memory)}


if __name__ == "__main__":
    main()
