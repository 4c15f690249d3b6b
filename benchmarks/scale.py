"""Time and memory of reading, splitting and storing up to a million images, on this machine and with two Dask workers.

    python benchmarks/scale.py [--counts 10000 100000 1000000] [--near] [--output FILE.json]

Stub images of 64 x 64 pixels, each a patient of its own, are stored at 32 x 32. Each count has a process of its own:

- index: hash, decode, perceptual hash, table, copies; here and by two workers (`engine.address`) into another cache
- split: train, val and test, with the audit of leaks
- near (with --near, else up to 100,000): the search for near-duplicates, whose cost grows with the square
- store: decode into the pixel store; here and by two workers into another one
- open: check every byte of the store, once

Memory is the driver's peak so far. Needs the extra cluster.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
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

PROJECT = Path(__file__).parents[1]
COUNTS = (10_000, 100_000, 1_000_000)
MOST_NEAR = 100_000
SIZE, STORED_SIZE = 64, 32
FOLDER_FILES = 1000
LOCAL = EngineParameters(address="none", pool="threads", workers=1)


def write_images(folder: Path, numbers: range) -> None:
    """Write distinct images; Kaggle's layout, where class folders have folders of their own."""
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (10, 10), np.uint8)
        label, name = ("NORMAL", f"IM-{number:07}-0001") if number % 2 else ("PNEUMONIA", f"person{number}_virus_1")
        place = folder / "train" / label / f"{number // FOLDER_FILES:04}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR).save(place / f"{name}.jpeg", "JPEG")


def measure(folder: Path, count: int, near: bool) -> dict[str, Any]:
    """Run every stage on the images of a folder."""
    ingest = IngestParameters.model_validate(
        yaml.safe_load((PROJECT / "conf/base/parameters_ingest.yml").read_text())["ingest"]
    )
    source, measured = ImageSource(str(folder / "images")), {"images": count}

    def timed(name: str, function: Any) -> Any:
        begin = time.perf_counter()
        result = function()
        measured[f"{name}_s"] = round(time.perf_counter() - begin, 1)
        measured[f"{name}_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(count, name, measured[f"{name}_s"], "s,", measured[f"{name}_peak_mb"], "MB", file=sys.stderr, flush=True)
        return result

    index = timed("index", lambda: nodes.index_labelled(source, IndexCache(folder / "index.sqlite"), ingest))
    nothing = nodes.find_near_duplicates(source, index.head(0), index.head(0), ingest)
    rejected = nodes.list_rejected(index)

    def split() -> Any:
        manifest = nodes.split_images(index, rejected, nothing, ingest)
        nodes.audit_leaks(index, manifest, nothing, ingest)
        return manifest

    manifest = timed("split", split)
    if near:
        timed("near", lambda: candidate_pairs(index["perceptual_hash"].tolist(), ingest.near_duplicate_bits))
    paths, sha256s = tuple(manifest["path"]), tuple(manifest["sha256"])

    def fill(place: str, engine: EngineParameters) -> PixelStores:
        stores = PixelStores(folder / place)
        stores.fill(PixelRequest(paths, sha256s, STORED_SIZE, "squeeze", source.read, engine))
        return stores

    stores = timed("store", lambda: fill("here", LOCAL))
    timed("open", lambda: stores.open(STORED_SIZE, "squeeze"))
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = EngineParameters(address=cluster.scheduler_address, pool="threads", workers=1)
        again = ImageSource(str(folder / "images"))
        cache = IndexCache(folder / "cluster.sqlite")
        timed("index_2_workers", lambda: nodes.index_labelled(again, cache, ingest, there))
        timed("store_2_workers", lambda: fill("there", there))
    return measured


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--near", action="store_true", help="search for near-duplicates among any number of images")
    parser.add_argument("--output", type=Path, default=PROJECT / "build/benchmarks/scale.json")
    parser.add_argument("--on", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.on:
        (count,) = arguments.counts
        print(json.dumps(measure(arguments.on, count, arguments.near or count <= MOST_NEAR)))
        return
    results = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor() as pool:
            write = partial(write_images, Path(name) / "images")
            list(pool.map(write, (range(start, min(start + 5000, count)) for start in range(0, count, 5000))))
            command = [sys.executable, __file__, "--on", name, "--counts", str(count)]
            command += ["--near"] if arguments.near else []
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(results, indent=2) + "\n")
    names = dict.fromkeys(name for result in results for name in result)
    for name in names:
        print(f"{name:24}", *(f"{result.get(name, '–'):>12}" for result in results))


if __name__ == "__main__":
    main()
