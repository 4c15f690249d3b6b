"""How fast training is, in one run on one machine.

    python benchmarks/training.py [--parts step input judge notes] [--full-size FOLDER] [--json FILE]

Parts:
    step   training steps of the default network on images in memory, images/s: in the precision that
           `training.precision: auto` chooses, and in float32; with batch normalisation as Keras composes it; and the
           same network in PyTorch, where that is installed.
    input  augmented training images/s from the input alone, overall and per CPU-second, and how long its iterators
           keep the caller waiting at their end.
    judge  what measuring the statistics of the averaged weights and validating cost after an epoch, beside the steps of
           that epoch, in CPU seconds; as many images as the published train images have.
    notes  the notes' network at their settings, images/s: fed by our inputs, and by the notes' loop, which decodes each
           image in three channels in every epoch. Needs --full-size: a folder of JPEG files of 1,000 to 2,000 px.

Each figure is the median of --repeats, taken in turn. Compare numbers of one run with each other only, not with
those of another machine or day.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pneumonia  # noqa: F401, I001 - before TensorFlow, whose kernels it chooses
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from kedro.config import OmegaConfigLoader

from pneumonia.base.parameters import Parameters
from pneumonia.model.compiling import compile_network, fuse_normalisation
from pneumonia.model.hardware import Hardware, choose_hardware, prepare_devices
from pneumonia.model.networks import BLOCKS, STEM, WIDTHS, make_network
from pneumonia.model.averaging import STATISTICS_BATCHES, AveragedCopy, measure_statistics
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import Augmentation, Batching, make_eval_input, make_train_input, steps_per_epoch
from pneumonia.pixels.decoding import decode_image

PROJECT = Path(__file__).parents[1]
STEPS = 20  # per repeat
KINDS = 2  # of pneumonia
STORED = 1_024  # images of the part input
TRAINED, VALIDATED = 3_661, 915  # images of the published train images in train and val


def main() -> None:
    """Run the parts that are asked for; print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["step", "input"])
    parser.add_argument("--full-size", type=Path, help="folder of full-size JPEG files for the part notes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/training.json"))
    arguments = parser.parse_args()
    prepare_devices("cpu")
    results = {}
    for part in arguments.parts:
        results[part] = PARTS[part](arguments)
        print(pd.Series(results[part], name=part).to_string(), flush=True)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")


def load_parameters(env: str) -> Parameters:
    """Return the parameters of an environment."""
    loader = OmegaConfigLoader(
        conf_source=str(PROJECT / "conf"), base_env="base", env=env, default_run_env="base",
        config_patterns={"parameters": ["parameters*"]}, merge_strategy={"parameters": "soft"},
    )  # fmt: skip
    return Parameters.model_validate(loader["parameters"])


def time_steps(arguments) -> dict[str, object]:
    """Images/s of training steps: ours in the chosen precision and in float32, PyTorch's in both if it is installed."""
    parameters = load_parameters("base")
    size = round(parameters.training.image_scale * parameters.inputs.image_size)
    chosen = choose_hardware("cpu", "auto").policy
    steps = {f"ours_{policy}": keras_step(parameters, size, policy) for policy in dict.fromkeys((chosen, "float32"))}
    steps[f"composed_{chosen}"] = keras_step(parameters, size, chosen, composed=True)
    if find_spec("torch"):
        for policy in dict.fromkeys((chosen, "float32")):
            steps[f"torch_{policy}"] = torch_step(parameters.training.batch_size, size, policy)
    rates: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(arguments.repeats + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step(STEPS)
            if repeat:  # the first one traces the graph
                rates[name].append(STEPS * parameters.training.batch_size / (time.perf_counter() - start))
    found: dict[str, object] = {f"{name}_images_per_s": median(values) for name, values in rates.items()}
    for other in (f"composed_{chosen}", f"torch_{chosen}"):
        if other in rates:
            ratios = [ours / theirs for ours, theirs in zip(rates[f"ours_{chosen}"], rates[other], strict=True)]
            found[f"ours_to_{other}"] = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return {**found, "image_size": size, "precision": chosen, "cores": os.cpu_count(), "repeats": arguments.repeats}


def keras_step(parameters: Parameters, size: int, policy: str, *, composed: bool = False) -> Callable[[int], object]:
    """Return a function that runs a number of training steps of the default network.

    With `composed`, its batch normalisation is what Keras composes from single operations.
    """
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    network = make_network(parameters.model.name, size, etiologies=KINDS)
    network = network if composed else fuse_normalisation(network)
    keras.config.set_dtype_policy(former)
    compile_network(network, parameters.training, 100, Hardware("cpu", (), policy, False, "a benchmark"))
    images = tf.random.stateless_uniform((parameters.training.batch_size, size, size, 1), (0, 0), 0, 256, tf.int32)
    kinds = tf.one_hot(tf.range(parameters.training.batch_size) % (KINDS + 1), KINDS + 1)
    weights = tf.ones(parameters.training.batch_size)
    batch = (tf.cast(images, tf.uint8), (1 - kinds[:, :1], kinds), weights)
    options = tf.data.Options()
    options.autotune.enabled = False
    batches = tf.data.Dataset.from_tensors(batch).repeat().with_options(options)
    return lambda steps: network.fit(batches, steps_per_epoch=steps, verbose=0)


def torch_step(batch: int, size: int, policy: str) -> Callable[[int], object]:
    """Return the same for the same network in PyTorch: AdamW, clipped gradients, averaged weights."""
    import torch
    from torch import nn

    def convolved(into: int, out: int, side: int, stride: int = 1) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(into, out, side, stride, side // 2 if side % 2 else 0, bias=False), nn.BatchNorm2d(out)
        )

    class Block(nn.Module):
        def __init__(self, into: int, out: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(convolved(into, out, 3, stride), nn.ReLU(), convolved(out, out, 3))
            self.skip = convolved(into, out, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.body(x) + self.skip(x))

    layers: list[nn.Module] = [convolved(1, WIDTHS[0], STEM, STEM), nn.ReLU()]
    for stage, width in enumerate(WIDTHS):
        for number in range(BLOCKS):
            first = number == 0 and stage > 0
            layers.append(Block(WIDTHS[stage - 1] if first else width, width, 2 if first else 1))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(WIDTHS[-1], KINDS + 1)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.02)
    images = torch.randint(0, 256, (batch, 1, size, size)).float().to(memory_format=torch.channels_last)
    classes = torch.arange(batch) % (KINDS + 1)

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=policy == "mixed_bfloat16"):
                x = (images - images.mean((1, 2, 3), keepdim=True)) / (images.std((1, 2, 3), keepdim=True) + 1)
                loss = nn.functional.cross_entropy(network(x), classes, label_smoothing=0.05)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            averaged.update_parameters(network)

    return run


def time_input(arguments) -> dict[str, float]:
    """Images/s of the training input alone, and the seconds that iterators keep the caller waiting at their end."""
    parameters = load_parameters("base")
    batch, size = parameters.training.batch_size, parameters.inputs.image_size
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).integers(0, 256, (STORED, size, size), dtype=np.uint8)
        keys = tuple(f"{index:064d}" for index in range(STORED))
        store = store_records(Path(folder), keys, size, noise.tobytes())
        manifest = pd.DataFrame({"sha256": keys, "target": np.arange(STORED) % 2, "label": "P", "etiology": "none"})
        change = partial(
            augment,
            strengths=parameters.inputs.augmentation,
            size=round(parameters.training.image_scale * size),
        )
        train = make_train_input(
            store, manifest, Batching(batch, seed=0), memory_limit_mb=2000, augmentation=Augmentation(change, N_DRAWS)
        )
        val = make_eval_input(store, manifest, batch_size=batch, memory_limit_mb=2000)
        rates, per_cpu, ends = [], [], []
        for repeat in range(arguments.repeats + 1):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in train.take(STORED // batch):
                pass
            if repeat:
                rates.append(STORED / (time.perf_counter() - wall))
                per_cpu.append(STORED / (time.process_time() - cpu))
            ends.append(seconds_at_end(val, STORED // batch))
    return {
        "augmented_images_per_s": median(rates),
        "augmented_images_per_cpu_s": median(per_cpu),
        "seconds_at_the_end_of_an_iterator": median(ends),
        "seconds_at_the_end_of_an_iterator_most": max(ends),
        "repeats": arguments.repeats,
    }


def seconds_at_end(batches: tf.data.Dataset, count: int) -> float:
    """Return how long an iterator takes from its last batch until it is removed."""
    iterator = iter(batches)
    for _ in range(count):
        next(iterator)
    start = time.perf_counter()
    next(iterator, None)
    del iterator
    return time.perf_counter() - start


def list_images(folder: Path) -> list[Path]:
    """Return the JPEG files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*.jp*g") if path.is_file())


def time_judging(arguments) -> dict[str, float]:
    """CPU seconds of the steps of an epoch, of measuring statistics, and of validating."""
    parameters = load_parameters("base")
    batch, size = parameters.training.batch_size, parameters.inputs.image_size
    policy = choose_hardware("cpu", "auto").policy
    step = keras_step(parameters, round(parameters.training.image_scale * size), policy)
    steps = steps_per_epoch(TRAINED, batch)
    images = np.random.default_rng(0).integers(0, 256, (VALIDATED, size, size, 1), dtype=np.uint8)
    targets = (np.arange(VALIDATED) % 2).astype(np.float32)[:, None]
    network = make_network(parameters.model.name, size, etiologies=KINDS)
    copy = AveragedCopy(network, tf.data.Dataset.from_tensor_slices((images, targets)).batch(batch), [])
    forward, batches = tf.function(lambda x: network(x, training=True)), [images[:batch]] * STATISTICS_BATCHES
    parts: dict[str, Callable[[], object]] = {
        "steps": lambda: step(steps),
        "statistics": lambda: measure_statistics(network, batches, forward),
        "validation": copy.validate,
    }
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for repeat in range(arguments.repeats + 1):
        for name, part in parts.items():
            start = time.process_time()
            part()
            if repeat:  # the first one traces the graph
                seconds[name].append(time.process_time() - start)
    return {f"{name}_cpu_s": round(median(values), 2) for name, values in seconds.items()}


def time_notes(arguments) -> dict[str, float]:
    """Images/s of the notes' network: our inputs against the notes' loop, in turn."""
    if arguments.full_size is None:
        sys.exit("The part notes needs --full-size: a folder of JPEG files of 1,000 to 2,000 px.")
    paths = [str(path) for path in list_images(arguments.full_size)]
    paths = (paths * (256 // len(paths) + 1))[:256]
    notes = load_parameters("notes")
    size, batch = notes.inputs.image_size, notes.training.batch_size
    targets = np.arange(len(paths)) % 2

    def notes_loop() -> tf.data.Dataset:
        def load(path, target):
            image = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)
            return tf.image.resize(tf.image.convert_image_dtype(image, tf.float32), [size, size]), target

        files = tf.data.Dataset.from_tensor_slices((paths, targets[:, None].astype("float32")))
        return files.map(load, num_parallel_calls=tf.data.AUTOTUNE).repeat().batch(batch).prefetch(tf.data.AUTOTUNE)

    with tempfile.TemporaryDirectory() as folder:
        # Distinct keys, so that each repetition has a record of its own.
        keys = tuple(f"{index:064d}" for index in range(len(paths)))
        decoded = (decode_image(Path(path).read_bytes(), size, notes.inputs.resize) for path in paths)
        store = store_records(Path(folder), keys, size, b"".join(image.tobytes() for image in decoded))
        manifest = pd.DataFrame({"sha256": keys, "target": targets, "label": np.where(targets, "P", "N")})
        ours = make_train_input(store, manifest, Batching(batch, seed=0), memory_limit_mb=2000)
        rates = {"notes": [], "ours": []}
        runs = {"notes": (_rgb_network(size), notes_loop()), "ours": (make_network("separable_cnn", size), ours)}
        for network, _ in runs.values():
            network.compile(keras.optimizers.Adam(), "binary_crossentropy", jit_compile=False)
        for repeat in range(arguments.repeats + 1):
            for name, (network, data) in runs.items():
                start = time.perf_counter()
                network.fit(data, steps_per_epoch=len(paths) // batch, verbose=0)
                if repeat:  # the first one traces the graph
                    rates[name].append(len(paths) / (time.perf_counter() - start))
    ratios = [ours / theirs for ours, theirs in zip(rates["ours"], rates["notes"], strict=True)]
    return {
        "notes_images_per_s": median(rates["notes"]),
        "ours_images_per_s": median(rates["ours"]),
        "ratio": median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
        "repeats": arguments.repeats,
    }


def store_records(folder: Path, keys: tuple[str, ...], size: int, pixels: bytes):
    """Return a store of images. The keys are not hashes, so records are written directly."""
    import hashlib

    from pneumonia.pixels.store import PixelFile, PixelStore

    file = folder / "records.u8"
    file.write_bytes(pixels)
    return PixelStore(folder, size, [PixelFile(file, keys, hashlib.sha256(pixels).hexdigest())])


def _rgb_network(size: int) -> keras.Model:
    """The notes' network as they fed it: three channels, floats in 0..1."""
    grey = make_network("separable_cnn", size)
    first = next(layer for layer in grey.layers if isinstance(layer, keras.layers.Conv2D))
    image = keras.Input((size, size, 3))
    tail = keras.Model(first.input, grey.output)
    return keras.Model(image, tail(image))


PARTS = {"step": time_steps, "input": time_input, "judge": time_judging, "notes": time_notes}

if __name__ == "__main__":
    main()
