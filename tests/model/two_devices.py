"""Trains a tiny network on a processor that TensorFlow treats as several devices, and prints the result.

python -m tests.model.two_devices FOLDER [--devices 2] [--images 41] [--plain] [--as-gpus] [--stop-after 2]
"""

import argparse
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from kedro.config import OmegaConfigLoader
from PIL import Image
from tests.tiny_network import register_tiny_network

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.model.callbacks import ReportProgress
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.model.fit import train
from pneumonia.model.lineage import weights_digest
from pneumonia.model.networks import network
from pneumonia.model.recipe import Recipe
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores

ROOT = Path(__file__).parents[2]
N_VAL = 16
SIZE = 32
TRAINING = {
    "epochs": 3, "batch_size": 8, "image_scale": 1.0, "precision": "float32",
    "monitor": "val_log_loss", "tolerance": 0.0, "validation_freq": 1,
}  # fmt: skip


@network()
def plain_cnn(image, seeds):
    """A network whose output for an image depends on no other image of the batch, and on nothing random."""
    import keras
    from keras import layers

    weights = keras.initializers.HeNormal(seed=next(seeds))
    x = layers.Conv2D(4, 5, 4, kernel_initializer=weights)(keras.ops.cast(image, "float32") / 255)
    return layers.GlobalAveragePooling2D(name="pooled")(layers.ReLU(name="features")(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--images", type=int, default=41)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--as-gpus", action="store_true")
    parser.add_argument("--stop-after", type=int)
    given = parser.parse_args()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * given.devices)
    if given.as_gpus:
        pass_as_gpus(tf.config.list_logical_devices("CPU"))
    manifest, store = make_images(given.folder, given.images)
    if given.stop_after:
        ReportProgress.on_epoch_end = press_ctrl_c_after(given.stop_after)
    name = "plain_cnn" if given.plain else register_tiny_network()
    try:
        states = TrainingStates(given.folder / "states", given.folder / "logs")
        # Keras switches XLA off in a deterministic training, so that would hide whether it is asked for.
        trained = train(manifest, store, make_recipe(name, deterministic=not given.as_gpus), states)
    except UserError as error:
        print(json.dumps({"said": error.message}))
        return
    history = trained.history.drop(columns="seconds").to_dict("list")
    reason = trained.facts["hardware"]["reason"]
    print(json.dumps({"weights": weights_digest(trained.model), "history": history, "hardware": reason}))


def make_recipe(name, deterministic):
    loader = OmegaConfigLoader(str(ROOT / "conf"), base_env="base", default_run_env="base")
    given = Parameters.model_validate(loader["parameters"])
    inputs, model = given.inputs.model_copy(update={"image_size": SIZE}), given.model.model_copy(update={"name": name})
    training = given.training.model_copy(update={**TRAINING, "deterministic": deterministic})
    return Recipe(inputs=inputs, model=model, training=training, class_weights={"NORMAL": 1.0, "PNEUMONIA": 1.0})


def make_images(folder, n_train):
    """Noise, with a bright band on top of every other image, which is the class."""
    rng, contents = np.random.default_rng(0), {}
    for number in range(n_train + N_VAL):
        pixels = rng.integers(60, 160, (SIZE, SIZE))
        pixels[4:12] += 60 * (number % 2)
        file = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
        contents[f"{number}.png"] = file.getvalue()
    target = np.arange(len(contents)) % 2
    manifest = pd.DataFrame(
        {
            "path": list(contents),
            "sha256": [hashlib.sha256(content).hexdigest() for content in contents.values()],
            "target": target,
            "label": np.where(target, "PNEUMONIA", "NORMAL"),
            "etiology": "none",
            "group": list(contents),
            "split": ["train"] * n_train + ["val"] * N_VAL,
        }
    )
    stores = PixelStores(folder / "pixels")
    stores.fill(PixelRequest(tuple(manifest["path"]), tuple(manifest["sha256"]), SIZE, "squeeze", contents.__getitem__))
    return manifest, stores.open(SIZE, "squeeze")


def pass_as_gpus(devices):
    """Let devices of the processor be taken for GPUs."""
    tf.config.get_visible_devices = tf.config.list_logical_devices = lambda kind: devices
    tf.config.experimental.get_device_details = lambda device: {"device_name": device.name}


def press_ctrl_c_after(epochs):
    def press(_, epoch, logs=None):
        if epoch + 1 == epochs:
            raise KeyboardInterrupt

    return press


if __name__ == "__main__":
    main()
