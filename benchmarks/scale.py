"""Time and memory of reading, splitting and storing up to a million images, on this machine and with two Dask workers.

    python benchmarks/scale.py [--counts 10000 100000 1000000] [--near] [--output FILE.json]

Stub images of 64 x 64 pixels, each of a patient of its own, are stored at 32 x 32. Each count runs in a process of its
own; its part with two workers runs in another one, and the scheduler in a third:

- index: hash, decode, perceptual hash, table, copies; here and by two workers (`engine.address`) into another cache
- split: train, val and test, with the audit of leaks
- near (up to 100,000, or with --near): the search for near-duplicates, whose cost grows with the square
- store: decode into the pixel store; here and by two workers into another one
- open: check every byte of the store, once

Memory is the driver's peak so far. Needs the extra `cluster`.
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
from pneumonia.images.near_duplicates import candidate_pairs
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores
from pneumonia.split.leak_audit import audit_leaks

PROJECT = Path(__file__).parents[1]
COUNTS = (10_000, 100_000, 1_000_000)
MOST_NEAR = 100_000
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
        begin = time.perf_counter()
        result = function()
        seconds = round(time.perf_counter() - begin, 1)
        megabytes = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        self.measured |= {f"{name}_s": seconds, f"{name}_peak_mb": megabytes}
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


def measure_here(folder: Path, count: int, near: bool) -> dict[str, Any]:
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
    if near:
        timed("near", lambda: candidate_pairs(index["perceptual_hash"].tolist(), ingest.near_duplicate_bits))
    stores = PixelStores(folder / "here")
    timed("store", lambda: fill(stores, manifest, source, LOCAL))
    timed("open", lambda: stores.open(STORED_SIZE, "squeeze"))
    return timed.measured


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


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--near", action="store_true", help="search for near-duplicates among any number of images")
    parser.add_argument("--output", type=Path, default=PROJECT / "build/benchmarks/scale.json")
    parser.add_argument("--on", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--parts", nargs="+", choices=("here", "workers"), default=["here", "workers"])
    arguments = parser.parse_args()
    if arguments.on:
        (count,), (part,) = arguments.counts, arguments.parts
        near = arguments.near or count <= MOST_NEAR
        print(
            json.dumps(
                measure_here(arguments.on, count, near) if part == "here" else measure_workers(arguments.on, count)
            )
        )
        return
    results = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor() as pool:
            write = partial(write_images, Path(name) / "images")
            list(pool.map(write, (range(start, min(start + 5000, count)) for start in range(0, count, 5000))))
            command = [sys.executable, __file__, "--on", name, "--counts", str(count)]
            command += ["--near"] if arguments.near else []
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
