"""The device and the precision of a training, and whether XLA compiles the network there.

XLA needs files that TensorFlow may not find (libdevice, ptxas).
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pneumonia.base.annotations import Model
from pneumonia.base.engine import thread_count
from pneumonia.base.errors import UserError

logger = logging.getLogger(__name__)

# NVIDIA's first generations with tensor cores for float16 and for bfloat16, as (major, minor) compute capability.
FLOAT16_CAPABILITY = (7, 0)
BFLOAT16_CAPABILITY = (8, 0)
# Processors with instructions for bfloat16, as /proc/cpuinfo names them.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
# The user's own choice of threads, which TensorFlow reads.
_THREADS_OF_AN_OPERATION = "TF_NUM_INTRAOP_THREADS"

TRIED_IMAGES = 2


@dataclass(frozen=True)
class Hardware:
    """The choice for one training.

    Attributes:
        device: "cpu" or "gpu".
        names: The accelerators' names; empty on CPU.
        policy: Keras dtype policy of the computations. Weights are float32 in each of them.
        jit_compile: Whether XLA compiles the training step: on one GPU only. On CPU it is many times slower for
            convolutions, and a step that several devices share does not compile.
        reason: Why, for the log and the record.
    """

    device: Literal["cpu", "gpu"]
    names: tuple[str, ...]
    policy: str
    jit_compile: bool
    reason: str

    def record(self) -> dict[str, Any]:
        """Return the choice as a record."""
        return asdict(self)


def choose_hardware(device: str, precision: str, deterministic: bool = False) -> Hardware:
    """Choose device and precision, and say so in one log line.

    Args:
        device: "auto", "cpu" or "gpu".
        precision: "auto", or a Keras dtype policy: "float32", "mixed_float16", "mixed_bfloat16".
        deterministic: Whether every operation must be; Keras then compiles nothing by XLA.

    Raises:
        UserError: If a GPU is requested and TensorFlow sees none.
    """
    import tensorflow as tf

    gpus = [] if device == "cpu" else tf.config.get_visible_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError(
            "training.device is gpu, but TensorFlow sees no GPU. Install the extra with "
            "`pip install -c constraints.txt -e '.[gpu]'` on Linux with an NVIDIA driver, or set training.device=auto."
        )
    if not gpus:
        policy = _cpu_policy(read_cpu_flags()) if precision == "auto" else precision
        why = "asked for" if device == "cpu" else "no GPU is visible"
        chosen = Hardware("cpu", (), policy, False, f"CPU in {policy}: {why}")
    else:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        policy = _gpu_policy(details) if precision == "auto" else precision
        names = tuple(str(detail.get("device_name", "GPU")) for detail in details)
        compiles = len(gpus) == 1 and not deterministic
        reason = f"{len(gpus)} GPU ({', '.join(names)}) in {policy} {'with' if compiles else 'without'} XLA"
        chosen = Hardware("gpu", names, policy, compiles, reason)
    logger.info("Training on %s.", chosen.reason)
    return chosen


def prepare_devices(device: str) -> None:
    """Hide unwanted GPUs, let the others allocate memory as needed, and share out the cores where there is none.

    TensorFlow allows none of this once it has used a device: call this before anything is computed.

    Args:
        device: "auto", "cpu" or "gpu".
    """
    import tensorflow as tf

    try:
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        if not tf.config.get_visible_devices("GPU") and _THREADS_OF_AN_OPERATION not in os.environ:
            share_out_cores(thread_count())
    except RuntimeError as error:
        logger.warning("TensorFlow is already running, so its devices and threads stay as they are: %s", error)


def share_out_cores(cores: int) -> None:
    """Compute several operations at once, each on half of the cores.

    An operation of a small network is so short that dividing it among threads costs more than it saves.
    """
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(cores)
    tf.config.threading.set_intra_op_parallelism_threads(max(cores // 2, 1))


def read_cpu_flags(path: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Return the instruction sets of the processor, as Linux names them; none elsewhere."""
    if not path.is_file():
        return set()
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return {flag for name, _, flags in lines if name.strip() == "flags" for flag in flags.split()}


def _cpu_policy(flags: set[str]) -> str:
    """Return the fastest policy of a processor. Without instructions for it, bfloat16 would be emulated, slowly."""
    return "mixed_bfloat16" if flags & BFLOAT16_FLAGS else "float32"


@contextmanager
def building_on(hardware: Hardware, strategy: Any) -> Iterator[None]:
    """Build and compile networks inside the block for a device, or several, and in its precision."""
    import keras

    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(hardware.policy)
    try:
        with strategy.scope():
            yield
    finally:
        keras.config.set_dtype_policy(former)


def make_strategy(hardware: Hardware) -> Any:
    """Return the distribution strategy: a copy of the network on each device, or TensorFlow's default for one."""
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices(hardware.device.upper())]
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def _gpu_policy(details: list[dict[str, Any]]) -> str:
    """Return the fastest policy that every card has tensor cores for."""
    capability = min(tuple(detail.get("compute_capability", (0, 0))) for detail in details)
    if capability >= BFLOAT16_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= FLOAT16_CAPABILITY else "float32"


def drop_failing_xla(hardware: Hardware, network: Model) -> Hardware:
    """Return the hardware as it is, or without XLA if that cannot compile the network here; a log line says so.

    Args:
        hardware: The choice for a training.
        network: Takes uint8 images. It is not changed.
    """
    if not hardware.jit_compile or (problem := tell_compile_problem(network)) is None:
        return hardware
    logger.warning("XLA cannot compile the network here (%s). Training goes on without XLA.", problem)
    return replace(hardware, jit_compile=False, reason=f"{hardware.reason}, which failed here: without XLA ({problem})")


def tell_compile_problem(network: Model) -> str | None:
    """Compile a network's output and gradients by XLA, run them once, and return what went wrong, if anything did."""
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)
    def compute_gradients(images: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(network(images, training=False))
            total = tf.add_n([tf.reduce_sum(tf.math.log1p(tf.cast(output, tf.float32))) for output in outputs])
        return tape.gradient(total, network.trainable_variables, unconnected_gradients="zero")

    try:
        compute_gradients(tf.zeros((TRIED_IMAGES, *network.input_shape[1:]), tf.uint8))
    except tf.errors.OpError as error:
        return str(error.message).strip().splitlines()[0]
    return None
