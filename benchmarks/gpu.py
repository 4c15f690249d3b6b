"""Train the default network for a minute on this machine's GPU, and compare its loss with the processor's.

    make gpu-check
    python benchmarks/gpu.py [--seconds SECONDS] [--device cpu]

Each device trains in a process of its own, from the same weights, on the same 8 batches of made images with a bright
band in one class: 24 steps of which the losses are compared, then steps for the given time. The GPU computes in the
precision that `training.precision: auto` chooses, the processor in float32. Printed are the losses, steps/s, memory,
and the record that a model's lineage would get of the device. `--device cpu` only tries this program without a GPU.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pneumonia.base.startup import start_tensorflow

BATCHES, COMPARED = 8, 24
CLOSE = 0.05  # of the mean loss, between devices that compute in another precision and order
NO_GPU = (
    "TensorFlow sees no GPU here, so nothing was trained. On Linux with an NVIDIA driver: pip install -c "
    "constraints.txt -e '.[gpu]'."
)


def main() -> None:
    """Measure both devices and print what they did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--measure", choices=("gpu", "cpu", "count"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.seconds)))
        return
    if arguments.device == "gpu" and not ask("count", 0)["gpus"]:
        print(NO_GPU)
        return
    found = {"processor": ask("cpu", 0), arguments.device: ask(arguments.device, arguments.seconds)}
    print(json.dumps(found, indent=2))
    expected, loss = (record["mean_loss"] for record in found.values())
    print(f"Mean loss of {COMPARED} steps: {loss:.4f}, on the processor {expected:.4f}.")
    if not abs(loss - expected) <= CLOSE * expected:
        sys.exit(f"They differ by more than {CLOSE:.0%}: do not trust a training on this device.")


def ask(what: str, seconds: float) -> dict[str, Any]:
    """Measure in a process of its own, and return what it prints last."""
    command = [sys.executable, __file__, "--measure", what, "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(device: str, seconds: float) -> dict[str, Any]:
    """Train on a device; or count the GPUs."""
    start_tensorflow()
    import keras
    import tensorflow as tf
    from training import KINDS, load_parameters

    from pneumonia.model.compiling import compile_network, fuse_normalisation
    from pneumonia.model.hardware import building_on, choose_hardware, drop_failing_xla, make_strategy, prepare_devices
    from pneumonia.model.networks import make_network

    if device == "count":
        return {"gpus": len(tf.config.list_physical_devices("GPU"))}
    prepare_devices(device)
    parameters = load_parameters("base")
    size, batch = round(parameters.training.image_scale * parameters.inputs.image_size), parameters.training.batch_size
    chosen = choose_hardware(device, "auto" if device == "gpu" else "float32")
    keras.utils.set_random_seed(0)
    with building_on(chosen, make_strategy(chosen)):
        network = fuse_normalisation(make_network(parameters.model.name, size, etiologies=KINDS, seed=0))
        hardware = drop_failing_xla(chosen, network)
        compile_network(network, parameters.training, BATCHES, hardware)
    data = make_batches(batch, size, KINDS)
    history = network.fit(data, steps_per_epoch=BATCHES, epochs=COMPARED // BATCHES, shuffle=False, verbose=0)
    steps, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        network.fit(data, steps_per_epoch=BATCHES, shuffle=False, verbose=0)
        steps += BATCHES
    return {
        "losses": [round(loss, 4) for loss in history.history["loss"]],
        "mean_loss": sum(history.history["loss"]) / len(history.history["loss"]),
        "steps_per_s": round(steps / passed, 2) if steps else None,
        "images_per_s": round(steps * batch / passed) if steps else None,
        "device_peak_mb": tf.config.experimental.get_memory_info("GPU:0")["peak"] >> 20 if device == "gpu" else None,
        "process_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "record": hardware.record(),
    }


def make_batches(batch: int, size: int, n_kinds: int) -> Any:
    """Return the batches, again and again: noise, with a bright band on top where the class is positive."""
    import tensorflow as tf

    kinds = tf.range(batch * BATCHES) % (n_kinds + 1)
    noise = tf.random.stateless_uniform((batch * BATCHES, size, size, 1), (0, 0), 0, 160, tf.int32)
    is_bright = (tf.range(size) < size // 4)[None, :, None, None] & (kinds > 0)[:, None, None, None]
    images = tf.cast(noise + 90 * tf.cast(is_bright, tf.int32), tf.uint8)
    target = tf.one_hot(kinds, n_kinds + 1)
    return tf.data.Dataset.from_tensor_slices((images, (1 - target[:, :1], target))).batch(batch).repeat()


if __name__ == "__main__":
    main()
