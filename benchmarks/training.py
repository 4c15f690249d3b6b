"""How fast training is: this project's way and the course notes' way, side by side in one run.

    python benchmarks/training.py [--images FOLDER] [--parts step quarter node] [--json FILE]

Parts:
    step     images/s of the notes' network at their settings, fed by our inputs and by the notes' loop (each image
             is decoded, three channels, in every epoch). Full-size images: those of --full-size, repeated.
    quarter  seconds until the mean validation AUC of three seeds reaches 0.99 with the default network
             (the first epochs of the default schedule), against the notes' 25 epochs (25 times their second one).
             Needs --images.
    node     what the training node costs on top of the same `fit` called directly, two epochs. Needs --images.

Numbers of one run compare with each other, not with those of another machine or day.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from kedro.config import OmegaConfigLoader

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.model.checkpoint import TrainingState
from pneumonia.model.fit import compile_network, fit_network
from pneumonia.model.hardware import choose_hardware
from pneumonia.model.lineage import make_lineage
from pneumonia.model.networks import make_network
from pneumonia.pixels.batches import make_train_input, steps_per_epoch

PROJECT = Path(__file__).parents[1]
TARGET_AUC = 0.99
SEEDS = (0, 1, 2)
FIRST_EPOCHS = 4
NOTES_EPOCHS = 25


def main() -> None:
    """Run the parts that are asked for; print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder in Kaggle's layout")
    parser.add_argument("--full-size", type=Path, help="folder of full-size JPEG files for the part step")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/training.json"))
    arguments = parser.parse_args()
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


def change(group, **values):
    """Return a group of parameters with other values."""
    return type(group)(**{**group.model_dump(), **values})


def list_images(folder: Path) -> list[Path]:
    """Return the JPEG files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*.jp*g") if path.is_file())


def time_steps(arguments) -> dict[str, float]:
    """Images/s of the notes' network: our inputs against the notes' loop, in turn."""
    if arguments.full_size is None:
        sys.exit("The part step needs --full-size: a folder of JPEG files of 1,000 to 2,000 px.")
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
        # Distinct keys, so that each repetition is a record of its own.
        keys = tuple(f"{index:064d}" for index in range(len(paths)))
        store = _store(Path(folder), keys, paths, notes)
        manifest = pd.DataFrame({"sha256": keys, "target": targets, "label": np.where(targets, "P", "N")})
        ours = make_train_input(store, manifest, batch_size=batch, seed=0, memory_limit_mb=2000)
        rates = {"notes": [], "ours": []}
        runs = {"notes": (_rgb_network(size), notes_loop()), "ours": (make_network("separable_cnn", size), ours)}
        for network, _ in runs.values():
            network.compile(keras.optimizers.Adam(), "binary_crossentropy", jit_compile=False)
        for repeat in range(arguments.repeats + 1):
            for name, (network, data) in runs.items():
                start = time.perf_counter()
                network.fit(data, steps_per_epoch=len(paths) // batch, verbose=0)
                if repeat:  # the first traces
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


def _store(folder: Path, keys: tuple[str, ...], paths: list[str], parameters: Parameters):
    """Decode once, as the inputs pipeline does. The keys are not hashes, so records are written directly."""
    import hashlib

    from pneumonia.pixels.decoding import decode_image
    from pneumonia.pixels.store import Part, PixelStore

    inputs = parameters.inputs
    pixels = b"".join(
        decode_image(Path(path).read_bytes(), inputs.image_size, inputs.resize).tobytes() for path in paths
    )
    file = folder / "records.u8"
    file.write_bytes(pixels)
    return PixelStore(folder, inputs.image_size, [Part(file, keys, hashlib.sha256(pixels).hexdigest())])


def _rgb_network(size: int) -> keras.Model:
    """The notes' network as they fed it: three channels, floats in 0..1."""
    grey = make_network("separable_cnn", size)
    first = next(layer for layer in grey.layers if isinstance(layer, keras.layers.Conv2D))
    image = keras.Input((size, size, 3))
    tail = keras.Model(first.input, grey.output)
    return keras.Model(image, tail(image))


def prepare(arguments, environment: str):
    """Index, split and store the images of --images; return what a training takes."""
    if arguments.images is None:
        sys.exit("This part needs --images: a folder in Kaggle's layout.")
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    runtime = {"images": str(arguments.images.resolve())}
    with KedroSession.create(project_path=PROJECT, env=environment, runtime_params=runtime) as session:
        session.run(pipeline_names=["ingest"])
    with KedroSession.create(project_path=PROJECT, env=environment, runtime_params=runtime) as session:
        session.run(pipeline_names=["imbalance"])
    with KedroSession.create(project_path=PROJECT, env=environment, runtime_params=runtime) as session:
        session.run(pipeline_names=["inputs"])
    with KedroSession.create(project_path=PROJECT, env=environment, runtime_params=runtime) as session:
        catalog = session.load_context().catalog
        names = ("split_manifest", "pixel_store", "class_weights")
        return SimpleNamespace(**{name: catalog.load(name) for name in names})


@dataclass(frozen=True)
class FirstEpochs(TrainingState):
    """A state that ends the training, as Ctrl-C does, after so many epochs."""

    epochs: int = FIRST_EPOCHS

    def write(self, record, arrays) -> None:
        """Write the state, then interrupt if it is time."""
        super().write(record, arrays)
        if len(record["history"]) == self.epochs:
            raise KeyboardInterrupt


def train_first_epochs(data, parameters: Parameters, folder: Path, seed: int) -> pd.DataFrame:
    """Train the first epochs of the whole schedule; return their history."""
    state = FirstEpochs(folder / f"state_{seed}.npz")
    try:
        train(data, parameters, folder, state, seed=seed)
    except UserError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
    record, _ = state.read()
    return pd.DataFrame(record["history"])


def train(
    data, parameters: Parameters, folder: Path, state: TrainingState | None = None, **recipe
) -> tuple[pd.DataFrame, float]:
    """Train once; return the history and the seconds it took."""
    training = change(parameters.training, restart=True, **recipe)
    store = data.pixel_store.open(parameters.inputs.image_size, parameters.inputs.resize)
    lineage = make_lineage(data.split_manifest, store, parameters.inputs, parameters.model, training)
    start = time.perf_counter()
    _, history = fit_network(
        data.split_manifest, store, data.class_weights, state or TrainingState(folder / "state.npz"),
        folder / "tensorboard", lineage, parameters.inputs, parameters.model, training,
    )  # fmt: skip
    return history, time.perf_counter() - start


def time_quarter(arguments) -> dict[str, float]:
    """Seconds to a mean validation AUC of 0.99, against a quarter of the notes' training."""
    with tempfile.TemporaryDirectory() as folder:
        notes_parameters = load_parameters("notes")
        notes, _ = train(prepare(arguments, "notes"), notes_parameters, Path(folder), epochs=2)
        default, data = load_parameters("base"), prepare(arguments, "base")
        histories = [train_first_epochs(data, default, Path(folder), seed) for seed in SEEDS]
    aucs = pd.concat([history.set_index("epoch")["val_auc"] for history in histories], axis=1).mean(axis=1)
    seconds = pd.concat([history.set_index("epoch")["seconds"] for history in histories], axis=1).mean(axis=1)
    reached = aucs.index[aucs >= TARGET_AUC]
    notes_seconds = NOTES_EPOCHS * float(notes["seconds"].iloc[1])
    ours = float(seconds.loc[: reached[0]].sum()) if len(reached) else float("inf")
    return {
        "epoch_of_mean_auc_0.99": int(reached[0]) if len(reached) else -1,
        "seconds_to_it": ours,
        "notes_25_epochs_seconds": notes_seconds,
        "share_of_notes": ours / notes_seconds,
        **{f"mean_val_auc_epoch_{epoch}": float(auc) for epoch, auc in aucs.items()},
        "seeds": len(SEEDS),
    }


def time_node(arguments) -> dict[str, float]:
    """What state-keeping and validation bookkeeping cost on top of a bare `fit`: two epochs each, in turn."""
    parameters, data = load_parameters("base"), prepare(arguments, "base")
    store = data.pixel_store.open(parameters.inputs.image_size, parameters.inputs.resize)
    from functools import partial

    from pneumonia.pixels.augmentation import N_DRAWS, augment
    from pneumonia.pixels.batches import make_eval_input

    manifest, training, memory = data.split_manifest, parameters.training, parameters.inputs.memory_limit_mb
    rows, val = manifest[manifest["split"] == "train"], manifest[manifest["split"] == "val"]
    steps = steps_per_epoch(len(rows), training.batch_size)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.repeats):
            _, ours = train(data, parameters, Path(folder), epochs=2)
            start = time.perf_counter()
            network = make_network(parameters.model.name, parameters.inputs.image_size, seed=training.seed)
            compile_network(network, change(training, epochs=2), steps, choose_hardware("auto", "auto"))
            train_input = make_train_input(
                store, rows, batch_size=training.batch_size, seed=training.seed, memory_limit_mb=memory,
                augment=partial(augment, strengths=parameters.inputs.augmentation), n_draws=N_DRAWS,
                class_weights=data.class_weights,
            )  # fmt: skip
            val_input = make_eval_input(store, val, batch_size=training.batch_size, memory_limit_mb=memory)
            network.fit(train_input, validation_data=val_input, epochs=2, steps_per_epoch=steps, verbose=0)
            ratios.append(ours / (time.perf_counter() - start))
    return {"ratio": median(ratios), "ratio_lowest": min(ratios), "ratio_highest": max(ratios), "repeats": len(ratios)}


PARTS = {"step": time_steps, "quarter": time_quarter, "node": time_node}

if __name__ == "__main__":
    main()
