"""Whether XLA compiles a network on this machine. It needs files that TensorFlow may not find (libdevice, ptxas)."""

import logging
from dataclasses import replace

from pneumonia.base.annotations import Model
from pneumonia.model.hardware import Hardware

logger = logging.getLogger(__name__)

TRIED_IMAGES = 2


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
