"""Speed of the inputs: this project's way and the course notes' way, side by side in one run.

    python benchmarks/inputs.py [--images PATH] [--only first_pass epochs ...] [--out FILE]

The notes' way decodes every image in three channels, in every epoch, in tf.data. Rates are images per second
and per CPU-second of this process (all threads): the second varies less when other programs are running.
Without `--images`, images of 1,000 to 2,000 px are generated. Prints a table, and writes it as JSON.
"""

import argparse
import io
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pneumonia.pixels.decoding import OVERSAMPLING
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStore, PixelStores

NOTES_SIZE = 180  # pixels, as in the notes
BATCH_SIZE = 32
REPEATS = 3
SCALE_SIZE = 224
SCALE = (1_000, 5_000, 20_000, 50_000)
TRAINING_STEPS = 60

Rates = dict[str, float]


def main() -> None:
    """Run the chosen parts in this order."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parts = {"first_pass": first_pass, "epochs": epochs, "training": training_share, "scale": scale}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder of JPEG files; they are repeated up to --count")
    parser.add_argument("--count", type=int, default=300, help="images of a pass (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--out", type=Path, default=Path("build/benchmark_inputs.json"))
    arguments = parser.parse_args()
    results: dict[str, Any] = {"cores": os.cpu_count(), "images": str(arguments.images or "generated")}
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_images(arguments.images, arguments.count, Path(folder) / "images")
        for name in arguments.only:
            results[name] = parts[name](manifest, Path(folder))
            print_table(name, results[name])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {arguments.out}")


def write_images(source: Path | None, count: int, folder: Path) -> pd.DataFrame:
    """Write `count` different files. A few bytes after a JPEG's end make its copy a different file."""
    originals = [path.read_bytes() for path in sorted(source.rglob("*.jp*g"))] if source else generate(12)
    if not originals:
        sys.exit(f"There is no JPEG file below {source}.")
    folder.mkdir()
    rows = []
    for index in range(count):
        content = originals[index % len(originals)] + index.to_bytes(4, "big")
        path = folder / f"{index:06d}.jpeg"
        path.write_bytes(content)
        rows.append((str(path), sha256(content).hexdigest(), "PNEUMONIA", 1, "train"))
    return pd.DataFrame(rows, columns=["path", "sha256", "label", "target", "split"])


def generate(count: int, low: int = 1000, high: int = 2000) -> list[bytes]:
    """Grey JPEG files with soft shapes, edges and grain, of about the size of radiographs' files."""
    rng, files = np.random.default_rng(0), []
    for _ in range(count):
        width, height = rng.integers(low, high + 1, 2)
        y, x = np.mgrid[0:height, 0:width] / max(width, height)
        pixels = 90 + 70 * np.cos(5 * x) * np.sin(4 * y) + 25 * (np.sin(70 * y + 9 * np.cos(6 * x)) > 0.3)
        pixels += rng.normal(0, 4, pixels.shape)
        content = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
        files.append(content.getvalue())
    return files


def first_pass(manifest: pd.DataFrame, folder: Path) -> dict[str, Rates]:
    """Compare reading, decoding, resizing and storing with decoding alone at the same scale in as many threads."""
    default_size = parameters()["inputs"]["image_size"]
    ways: dict[str, Callable[[], Any]] = {"notes, 180 px": lambda: exhaust(notes_input(manifest))}
    for size in dict.fromkeys((default_size, NOTES_SIZE)):
        ways[f"libjpeg-turbo alone, {size} px"] = partial(decode_alone, manifest, size)
        ways[f"ours, {size} px"] = partial(store, manifest, folder, size)
    table = {name: median_rates(runs) for name, runs in side_by_side(ways, len(manifest)).items()}
    for size in dict.fromkeys((default_size, NOTES_SIZE)):
        ours = table[f"ours, {size} px"]
        for other in ("notes, 180 px", f"libjpeg-turbo alone, {size} px"):
            ours.update(ratio(ours, table[other], "notes" if "notes" in other else "libjpeg-turbo"))
    return table


def epochs(manifest: pd.DataFrame, folder: Path) -> dict[str, Rates]:
    """Time a later epoch, up to batches that are ready for the training step."""
    from pneumonia.base.parameters import AugmentationParameters
    from pneumonia.pixels.augmentation import N_DRAWS, augment
    from pneumonia.pixels.batches import Augmentation

    size = parameters()["inputs"]["image_size"]
    opened = store(manifest, folder, size)
    default = AugmentationParameters(**parameters()["inputs"]["augmentation"])
    augmented = Augmentation(partial(augment, strengths=default), N_DRAWS)
    runs = side_by_side({"notes, 180 px": lambda: exhaust(notes_input(manifest))}, len(manifest))
    # Ours are so fast that only a long epoch can be measured.
    long = pd.concat([manifest] * (20_000 // len(manifest) + 1), ignore_index=True)
    for name, limit, change, steps in (
        (f"ours, in memory, {size} px", 10_000, None, 600),
        (f"ours, streamed, {size} px", 0, None, 600),
        (f"ours, augmented, {size} px", 10_000, augmented, 100),
    ):
        batches = iter(our_input(opened, long, limit, change))
        exhaust(batches, 10)
        runs |= side_by_side({name: partial(exhaust, batches, steps)}, steps * BATCH_SIZE)
    table = {name: median_rates(rates) for name, rates in runs.items()}
    for name, rates in table.items():
        if not name.startswith("notes"):
            rates.update(ratio(rates, table["notes, 180 px"], "notes"))
    return table


def training_share(manifest: pd.DataFrame, folder: Path) -> dict[str, Rates]:
    """Measure the input's share of the CPU time of the default training, after its first steps."""
    import keras

    from pneumonia.base.parameters import AugmentationParameters, TrainingParameters
    from pneumonia.model.fit import compile_network
    from pneumonia.model.hardware import choose_hardware
    from pneumonia.model.networks import make_network
    from pneumonia.pixels.augmentation import N_DRAWS, augment
    from pneumonia.pixels.batches import Augmentation

    groups = parameters()
    training, size = TrainingParameters.model_validate(groups["training"]), groups["inputs"]["image_size"]
    strengths = AugmentationParameters(**groups["inputs"]["augmentation"])
    change = Augmentation(partial(augment, strengths=strengths), N_DRAWS)
    data = our_input(store(manifest, folder, size), manifest, 10_000, change, training.batch_size)
    hardware = choose_hardware(training.device, training.precision)
    keras.config.set_dtype_policy(hardware.policy)
    network = make_network(groups["model"]["name"], size)
    compile_network(network, training, TRAINING_STEPS, hardware)
    ends: list[tuple[float, float]] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append((time.perf_counter(), time.process_time()))
    )
    # The first epoch, which builds the step, is left out.
    network.fit(data, epochs=1 + REPEATS, steps_per_epoch=TRAINING_STEPS, callbacks=[clock], verbose=0)
    count = TRAINING_STEPS * training.batch_size
    batches = iter(data)
    exhaust(batches, 10)
    table = {
        "input alone": median_rates(side_by_side({"": partial(exhaust, batches, TRAINING_STEPS)}, count)[""]),
        "training with its input": median_rates([tuple(count / span) for span in np.diff(ends, axis=0)]),
    }
    share = table["training with its input"]["per_cpu_second"] / table["input alone"]["per_cpu_second"]
    table["training with its input"]["input_share_of_cpu"] = share
    return table


def scale(_: pd.DataFrame, folder: Path) -> dict[str, Rates]:
    """Seconds and memory from 1,000 to 50,000 images at 224 px, streamed; each in a process of its own."""
    table = {}
    for count in SCALE:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            table[f"{count:,} images"] = pool.submit(scale_once, count, folder / f"scale-{count}").result()
    first = table[f"{SCALE[0]:,} images"]
    for row in table.values():
        row["more_memory_mb"] = row["peak_memory_mb"] - first["peak_memory_mb"]
    return table


def scale_once(count: int, folder: Path) -> Rates:
    """Fill a store with small images that are made as they are read, open it, and stream two epochs."""
    original = generate(1, SCALE_SIZE, SCALE_SIZE)[0]
    contents = {str(index): index for index in range(count)}

    def read(path: str) -> bytes:
        return original + contents[path].to_bytes(4, "big")

    sha256s = [sha256(read(path)).hexdigest() for path in contents]
    request = PixelRequest(tuple(contents), tuple(sha256s), SCALE_SIZE, "squeeze", read)
    manifest = pd.DataFrame({"sha256": sha256s, "label": "NORMAL", "target": 0})
    stores, times = PixelStores(folder), [time.process_time()]
    stores.fill(request)
    times.append(time.process_time())
    opened = stores.open(SCALE_SIZE, "squeeze")
    times.append(time.process_time())
    batches = iter(our_input(opened, manifest, 0, {}))
    exhaust(batches, 10)
    steps = count // BATCH_SIZE
    times.append(time.process_time())
    exhaust(batches, 2 * steps)
    times.append(time.process_time())
    fill, check, _, stream = np.diff(times) / count * 1e6
    return {
        "fill_cpu_us_per_image": float(fill),
        "open_cpu_us_per_image": float(check),
        "epoch_cpu_us_per_image": float(stream) / 2,
        "peak_memory_mb": peak_memory_mb(),
    }


def peak_memory_mb() -> float:
    """This process's largest resident memory so far, in 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux's ru_maxrss of a new process starts at its parent's.
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts in bytes


def notes_input(manifest: pd.DataFrame) -> Any:
    """One epoch as the course notes make it: three channels, float, resized, batched."""
    import tensorflow as tf

    def load(path: Any) -> Any:
        image = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(tf.image.convert_image_dtype(image, tf.float32), [NOTES_SIZE, NOTES_SIZE])

    paths = tf.data.Dataset.from_tensor_slices(manifest["path"].to_numpy(str))
    images = paths.map(load, num_parallel_calls=tf.data.AUTOTUNE).shuffle(1000)
    return images.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def our_input(opened: PixelStore, manifest: pd.DataFrame, limit: int, change: Any, batch_size: int = BATCH_SIZE) -> Any:
    """Our training input."""
    from pneumonia.pixels.batches import Batching, make_train_input

    batching = Batching(batch_size, seed=0)
    return make_train_input(opened, manifest, batching, memory_limit_mb=limit, augmentation=change)


def store(manifest: pd.DataFrame, folder: Path, size: int) -> PixelStore:
    """Fill a new store and open it."""
    request = PixelRequest(
        tuple(manifest["path"]),
        tuple(manifest["sha256"]),
        size,
        "squeeze",
        lambda path: Path(path).read_bytes(),
    )
    stores = PixelStores(Path(tempfile.mkdtemp(dir=folder)))
    stores.fill(request)
    return stores.open(size, "squeeze")


def decode_alone(manifest: pd.DataFrame, size: int) -> None:
    """Read and decode by libjpeg-turbo at the scale that leaves twice `size`; no resizing, nothing kept."""

    def decode(path: str) -> None:
        with Image.open(io.BytesIO(Path(path).read_bytes())) as image:
            image.draft("L", (OVERSAMPLING * size, OVERSAMPLING * size))
            image.load()

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode, manifest["path"]))


def exhaust(batches: Any, steps: int | None = None) -> None:
    """Take `steps` batches, or all."""
    for done, _ in enumerate(batches, 1):
        if done == steps:
            break


def side_by_side(ways: dict[str, Callable[[], Any]], count: int) -> dict[str, list[tuple[float, float]]]:
    """Time the ways in turn, several times; return the images per second and per CPU-second of each run."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            runs[name].append((count / (time.perf_counter() - wall), count / (time.process_time() - cpu)))
    return runs


def median_rates(runs: list[tuple[float, float]]) -> Rates:
    """The medians over the runs."""
    per_second, per_cpu_second = (statistics.median(values) for values in zip(*runs, strict=True))
    return {"per_second": per_second, "per_cpu_second": per_cpu_second}


def ratio(ours: Rates, other: Rates, name: str) -> Rates:
    """Return our rates as multiples of the other's."""
    return {f"{key}_vs_{name}": ours[key] / other[key] for key in ("per_second", "per_cpu_second")}


def parameters() -> dict[str, Any]:
    """The default parameters."""
    from kedro.config import OmegaConfigLoader

    conf = Path(__file__).parents[1] / "conf"
    patterns = {"parameters": ["parameters*"]}
    return OmegaConfigLoader(str(conf), base_env="base", default_run_env="base", config_patterns=patterns)["parameters"]


def print_table(name: str, table: dict[str, Rates]) -> None:
    """Print the rows, with a column for each figure."""
    frame = pd.DataFrame(table).T.map(lambda value: "" if pd.isna(value) else f"{value:,.{0 if value > 9 else 3}f}")
    print(f"\n{name}\n{frame.to_string()}")


if __name__ == "__main__":
    main()
