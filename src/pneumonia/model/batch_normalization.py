"""Batch normalisation as one TensorFlow operation, for the network in training.

Keras 3 composes it from single operations on TensorFlow, in float32 even where the network computes in bfloat16, which
is slower (`benchmarks/training.py`). The result is the same up to rounding (Ioffe & Szegedy 2015, "Batch
normalization").
"""

from typing import Any

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster when training on batches of maps.

    Everything else (inference, other shapes, masks, renormalisation) is left to Keras.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise maps `[n, height, width, channels]` by their means and variances, and keep running ones."""
        are_maps = len(inputs.shape) == 4 and self.axis in (-1, 3) and mask is None
        is_plain = self.scale and self.center and not self.renorm
        if not (training and self.trainable and are_maps and is_plain):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            is_training=True,
        )
        # The operation gives the unbiased variance; Keras keeps the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        variance *= (count - 1) / count
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


def fuse_normalisation(network: keras.Model) -> keras.Model:
    """Return a network like the given one, with the same weights, whose batch normalisation is fused in training."""
    fused = keras.models.clone_model(network, clone_function=_clone)
    fused.set_weights(network.get_weights())
    return fused


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind = FusedBatchNormalization if type(layer) is keras.layers.BatchNormalization else type(layer)
    return kind.from_config(layer.get_config())
