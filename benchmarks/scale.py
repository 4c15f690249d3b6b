"""Time and memory of reading, splitting and storing up to a million images, on this machine and with two Dask workers.

    python benchmarks/scale.py [--counts 10000 100000 1000000] [--parts here workers near] [--output FILE.json]

Stub images of 64 x 64 pixels, each of a patient of its own, are stored at 32 x 32. Each count runs in a process of its
own; its part with two workers and the search for near-duplicates run in others, and the scheduler in one more:

- index: hash, decode, perceptual hash, table, copies; here and by two workers (`engine.address`) into another cache
- split: train, val and test, with the audit of leaks
- store: decode into the pixel store; here and by two workers into another one
- open: check every byte of the store, once
- near: search for near-duplicates among hashes alone, without images. They are drawn to be about as far from each other
  as those of the published images (median 118 of 256 bits, one pair in a hundred nearer than 88); a tenth are copies
  of others with up to 40 bits changed

Memory is the driver's peak so far; seconds are wall-clock time, and `cpu` is the process's time. Workers need the extra
`cluster`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from pneumonia.base.parameters import IngestParameters
from pneumonia.base.study_parameters import EngineParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.perceptual_hash import candidate_pairs
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores
from pneumonia.split.leak_audit import audit_leaks

PROJECT = Path(__file__).parents[1]
COUNTS = (10_000, 100_000, 1_000_000)
SIZE, STORED_SIZE = 64, 32
FOLDER_FILES = 1000
LOCAL = EngineParameters(address="none", pool="threads", workers=1)


def write_images(folder: Path, numbers: range) -> None:
    """Write distinct images in Kaggle's layout, with subfolders in the class folders."""
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (10, 10), np.uint8)
        label, name = ("NORMAL", f"IM-{number:07}-0001") if number % 2 else ("PNEUMONIA", f"person{number}_virus_1")
        place = folder / "train" / label / f"{number // FOLDER_FILES:04}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR).save(place / f"{name}.jpeg", "JPEG")


class Clock:
    """Seconds and highest memory of the steps of this process."""

    def __init__(self, count: int) -> None:
        """Begin with a number of images."""
        self.measured: dict[str, Any] = {"images": count}

    def __call__(self, name: str, function: Callable[[], Any]) -> Any:
        """Do a step, and note what it took."""
        begin, cpu_begin = time.perf_counter(), time.process_time()
        result = function()
        seconds, cpu = round(time.perf_counter() - begin, 1), round(time.process_time() - cpu_begin, 1)
        megabytes = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        self.measured |= {f"{name}_s": seconds, f"{name}_cpu_s": cpu, f"{name}_peak_mb": megabytes}
        print(self.measured["images"], name, seconds, "s,", megabytes, "MB", file=sys.stderr, flush=True)
        return result


def ingest_parameters() -> IngestParameters:
    """Return the default parameters."""
    return IngestParameters.model_validate(
        yaml.safe_load((PROJECT / "conf/base/parameters_ingest.yml").read_text())["ingest"]
    )


def fill(stores: PixelStores, index: pd.DataFrame, source: ImageSource, engine: EngineParameters) -> None:
    """Decode the images of an index or a manifest into a store."""
    paths, sha256s = tuple(index["path"]), tuple(index["sha256"])
    stores.fill(PixelRequest(paths, sha256s, STORED_SIZE, "squeeze", source.read, engine))


def measure_here(folder: Path, count: int) -> dict[str, Any]:
    """Run every stage in this process, on the images of a folder."""
    ingest, timed = ingest_parameters(), Clock(count)
    source = ImageSource(str(folder / "images"))
    index = timed("index", lambda: nodes.index_labelled(source, IndexCache(folder / "index.sqlite"), ingest))
    nothing = nodes.find_near_duplicates(source, index.head(0), index.head(0), ingest)
    rejected = nodes.list_rejected(index)

    def split() -> pd.DataFrame:
        manifest = nodes.split_images(index, rejected, nothing, ingest)
        audit_leaks(index, manifest, nothing, ingest)
        return manifest

    manifest = timed("split", split)
    stores = PixelStores(folder / "here")
    timed("store", lambda: fill(stores, manifest, source, LOCAL))
    timed("open", lambda: stores.open(STORED_SIZE, "squeeze"))
    return timed.measured


def draw_hashes(count: int) -> list[str]:
    """Draw hashes whose bits go together as those of radiographs do, the last tenth near copies of the first."""
    rng = np.random.default_rng(0)
    common, bias = rng.normal(0, 0.3, (8, 256)), rng.normal(0, 0.45, 256)
    hashes: list[str] = []
    for start in range(0, count, FOLDER_FILES):
        drawn = rng.normal(size=(min(FOLDER_FILES, count - start), 8)) @ common + bias
        packed = np.packbits(drawn + rng.normal(size=drawn.shape) > 0, axis=1)
        hashes += [row.tobytes().hex() for row in packed]
    for number in range(count // 10):
        bits = sum(1 << int(place) for place in rng.choice(256, rng.integers(41), replace=False))
        hashes[-1 - number] = f"{int(hashes[number], 16) ^ bits:064x}"
    return hashes


def measure_near(folder: Path, count: int) -> dict[str, Any]:
    """Search for near-duplicates among hashes."""
    timed, hashes = Clock(count), draw_hashes(count)
    pairs = timed("near", lambda: candidate_pairs(hashes, ingest_parameters().near_duplicate_bits))
    return timed.measured | {"near_pairs": len(pairs)}


@contextmanager
def two_workers(folder: Path) -> Iterator[str]:
    """Start a Dask scheduler and two workers on this machine, and yield the scheduler's address."""
    file = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    commands = (
        [*dask, "scheduler", f"--scheduler-file={file}", "--port=0", "--no-dashboard", "--host=127.0.0.1"],
        [*dask, "worker", f"--scheduler-file={file}", "--nworkers=2", "--nthreads=1", "--no-dashboard"],
    )
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    try:
        while not file.is_file() or not file.read_text():
            if processes[0].poll() is not None:
                sys.exit("The scheduler did not start: pip install -e '.[cluster]'.")
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def measure_workers(folder: Path, count: int) -> dict[str, Any]:
    """Index and store by two Dask workers on this machine."""
    ingest, timed = ingest_parameters(), Clock(count)
    source = ImageSource(str(folder / "images"))
    with two_workers(folder) as address:
        there = EngineParameters(address=address, pool="threads", workers=1)
        cache = IndexCache(folder / "cluster.sqlite")
        index = timed("index_2_workers", lambda: nodes.index_labelled(source, cache, ingest, there))
        timed("store_2_workers", lambda: fill(PixelStores(folder / "there"), index, source, there))
    return timed.measured


MEASURED = {"here": measure_here, "workers": measure_workers, "near": measure_near}


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--output", type=Path, default=PROJECT / "build/benchmarks/scale.json")
    parser.add_argument("--on", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--parts", nargs="+", choices=MEASURED, default=[*MEASURED])
    arguments = parser.parse_args()
    if arguments.on:
        (count,), (part,) = arguments.counts, arguments.parts
        print(json.dumps(MEASURED[part](arguments.on, count)))
        return
    results = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor() as pool:
            if arguments.parts != ["near"]:
                write = partial(write_images, Path(name) / "images")
                list(pool.map(write, (range(start, min(start + 5000, count)) for start in range(0, count, 5000))))
            command = [sys.executable, __file__, "--on", name, "--counts", str(count)]
            measured: dict[str, Any] = {}
            for part in arguments.parts:
                done = subprocess.run([*command, "--parts", part], check=True, stdout=subprocess.PIPE, text=True)
                measured |= json.loads(done.stdout.splitlines()[-1])
        results.append(measured)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(results, indent=2) + "\n")
    names = dict.fromkeys(name for result in results for name in result)
    for name in names:
        print(f"{name:24}", *(f"{result.get(name, '–'):>12}" for result in results))


if __name__ == "__main__":
    main()
