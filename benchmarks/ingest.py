"""Speed and memory of the ingest stage, as ratios within one run.

    python benchmarks/ingest.py [--images FOLDER_OF_JPEG] [--output FILE.json]

1. Indexing (hash, decode to the end, perceptual hash, table) against bare hashing and DCT-scaled decoding with Pillow
   on as many threads, on 2,000 files: the given JPEG files repeated with distinct bytes. Goal: 0.8 of its speed, by the
   clock; the ratio of processor time is given too, for machines that do other work.
2. Bytes read while indexing, against the bytes of the files. Goal: 1.
3. Indexing the unchanged files again, against the first time. Goal: below 0.05.
4. Peak memory of the whole stage at 50,000 small distinct images, minus that at 5,000. Goal: at most 200 MB.
"""

import argparse
import hashlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from pneumonia.base.engine import thread_count
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes
from pneumonia.split.leak_audit import audit_leaks
from pneumonia.split.summary import count_data_flow, tabulate_split

PROJECT = Path(__file__).parents[1]
FILES = 2000
ROUNDS = 5
SMALL, LARGE = 5_000, 50_000


def read_parameters() -> IngestParameters:
    """Return the parameters as delivered."""
    values = yaml.safe_load((PROJECT / "conf/base/parameters_ingest.yml").read_text())["ingest"]
    return IngestParameters.model_validate(values)


def make_large_images() -> list[bytes]:
    """Return JPEG files of about the size of the published ones, where no real ones are given."""
    contents = []
    for seed, size in enumerate([(712, 439), (1000, 656), (1448, 1055), (1654, 1345)]):
        generator = np.random.default_rng(seed)
        smooth = Image.fromarray(generator.integers(0, 256, (12, 12), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        noisy = np.clip(np.asarray(smooth) + generator.normal(0, 6, size[::-1]), 0, 255).astype(np.uint8)
        content = io.BytesIO()
        Image.fromarray(noisy).save(content, "JPEG", quality=85)
        contents.append(content.getvalue())
    return contents


def write_images(folder: Path, contents: list[bytes], count: int) -> int:
    """Write JPEG files in Kaggle's layout, made distinct by bytes after their end; return their size in bytes."""
    total = 0
    for n in range(count):
        label, name = ("NORMAL", f"IM-{n:06}-0001") if n % 2 else ("PNEUMONIA", f"person{n}_virus_1")
        path = folder / "train" / label / f"{name}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        total += path.write_bytes(contents[n % len(contents)] + n.to_bytes(4, "big"))
    return total


def write_small_images(folder: Path, count: int) -> None:
    """Write distinct images of 64 x 64 pixels."""
    for n in range(count):
        pixels = np.random.default_rng(n).integers(0, 256, (10, 10), np.uint8)
        content = io.BytesIO()
        Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR).save(content, "JPEG")
        write = folder / "train" / ("NORMAL" if n % 2 else "PNEUMONIA")
        write.mkdir(parents=True, exist_ok=True)
        (write / (f"IM-{n:06}-0001.jpeg" if n % 2 else f"person{n}_virus_1.jpeg")).write_bytes(content.getvalue())


def hash_and_decode(paths: list[Path]) -> None:
    """Do the bare minimum: hash and decode at the tightest DCT scale, on all cores."""

    def work(path: Path) -> None:
        data = path.read_bytes()
        hashlib.sha256(data).hexdigest()
        with Image.open(io.BytesIO(data)) as image:
            image.draft("L", (64, 64))
            image.load()

    with ThreadPoolExecutor(thread_count()) as pool:
        list(pool.map(work, paths, chunksize=16))


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """Return how long a call takes by the clock, and how much processor time."""
    begin, begin_cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - begin, time.process_time() - begin_cpu


def bytes_read() -> int:
    """Return how many bytes this process has read so far, from disk or the page cache (Linux)."""
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def measure_speed(folder: Path, contents: list[bytes]) -> dict[str, float]:
    """Measure points 1 to 3."""
    parameters, images = read_parameters(), folder / "images"
    size = write_images(images, contents, FILES)
    paths = sorted(images.rglob("*.jpeg"))
    hash_and_decode(paths[:200])
    bare, first = [], []
    for turn in range(ROUNDS):
        cache = IndexCache(folder / f"cache{turn}.sqlite")
        bare.append(seconds(lambda: hash_and_decode(paths)))
        before = bytes_read()
        first.append(seconds(lambda cache=cache: nodes.index_labelled(ImageSource(str(images)), cache, parameters)))
        read = bytes_read() - before
    again = [seconds(lambda: nodes.index_labelled(ImageSource(str(images)), cache, parameters)) for _ in range(ROUNDS)]
    clock, cpu = ([b[kind] / i[kind] for b, i in zip(bare, first, strict=True)] for kind in (0, 1))
    return {
        "files": FILES,
        "megabytes": round(size / 1e6, 1),
        "threads": thread_count(),
        "bare_images_per_second": round(FILES / statistics.median(time for time, _ in bare), 1),
        "index_images_per_second": round(FILES / statistics.median(time for time, _ in first), 1),
        "index_speed_of_bare": round(statistics.median(clock), 3),
        "index_speed_of_bare_lowest": round(min(clock), 3),
        "index_speed_of_bare_highest": round(max(clock), 3),
        "index_speed_of_bare_by_cpu": round(statistics.median(cpu), 3),
        "bytes_read_of_file_bytes": round(read / size, 4),
        "again_of_first": round(statistics.median(t for t, _ in again) / statistics.median(t for t, _ in first), 4),
        "again_of_first_by_cpu": round(
            statistics.median(t for _, t in again) / statistics.median(t for _, t in first), 4
        ),
    }


def peak_memory(count: int) -> dict[str, float]:
    """Run the whole stage on small images in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        write_small_images(Path(name) / "images", count)
        command = [sys.executable, __file__, "--stage-on", name]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def run_stage(folder: Path) -> dict[str, float]:
    """Run every node, keeping all results, and return the peak memory in MB and the seconds."""
    import resource

    begin, parameters = time.perf_counter(), read_parameters()
    source, cache = ImageSource(str(folder / "images")), IndexCache(folder / "cache.sqlite")
    index = nodes.index_labelled(source, cache, parameters)
    rejected, duplicates = nodes.list_rejected(index), nodes.list_duplicates(index)
    near_begin = time.perf_counter()
    near = nodes.find_near_duplicates(source, index, rejected, parameters)
    near_seconds = time.perf_counter() - near_begin
    manifest = nodes.split_images(index, rejected, near, parameters)
    tables = [
        tabulate_split(manifest, parameters),
        audit_leaks(index, manifest, near, parameters),
        count_data_flow(source, index, near, manifest, parameters),
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = len(index) + len(duplicates) + sum(map(len, tables))
    return {
        "peak_mb": round(peak, 1),
        "seconds": round(time.perf_counter() - begin, 1),
        "near_duplicate_seconds": round(near_seconds, 1),
        "near_duplicate_pairs": len(near),
        "rows": rows,
    }


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of JPEG files of full size; made up where not given")
    parser.add_argument("--output", type=Path, default=PROJECT / "build/benchmarks/ingest.json")
    parser.add_argument("--stage-on", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage_on:
        print(json.dumps(run_stage(arguments.stage_on)))
        return
    given = sorted(arguments.images.rglob("*.jp*g")) if arguments.images else []
    contents = [path.read_bytes() for path in given] or make_large_images()
    with tempfile.TemporaryDirectory() as name:
        results: dict[str, object] = dict(measure_speed(Path(name), contents))
    small, large = peak_memory(SMALL), peak_memory(LARGE)
    results |= {
        f"{key}_at_{count}": value for count, run in ((SMALL, small), (LARGE, large)) for key, value in run.items()
    }
    results["peak_mb_more_at_50000"] = round(large["peak_mb"] - small["peak_mb"], 1)
    for key, value in results.items():
        print(f"{key:32} {value:>12}")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
