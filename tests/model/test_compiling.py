import keras
import numpy as np
import pytest
import tensorflow as tf

from pneumonia.model.compiling import FusedBatchNormalization, fuse_normalisation
from pneumonia.model.networks import make_network

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 1)).astype("uint8")


def one_step(network):
    """Return output and gradients of a training call, which changes the network's running statistics."""
    with tf.GradientTape() as tape:
        output = network(IMAGES, training=True)
        loss = tf.reduce_mean(tf.square(output - 0.3))
    return output, tape.gradient(loss, [weight.value for weight in network.trainable_weights])


def without_dropout(name):
    network = make_network(name, 64, seed=1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return network


@pytest.mark.parametrize("name", ["residual_cnn", "separable_cnn"])
def test_fused_normalisation_learns_the_same(name):
    plain = without_dropout(name)
    fused = fuse_normalisation(plain)
    assert any(isinstance(layer, FusedBatchNormalization) for layer in fused.layers)
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in plain.layers)

    (expected, gradients), (output, fused_gradients) = one_step(plain), one_step(fused)

    np.testing.assert_allclose(output, expected, atol=1e-5)
    for ours, theirs in zip(fused_gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(float(tf.reduce_max(tf.abs(theirs))), 1e-3))
    for ours, theirs in zip(fused.weights, plain.weights, strict=True):  # the running statistics have moved
        assert ours.path == theirs.path
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6, err_msg=ours.path)
    np.testing.assert_allclose(fused(IMAGES), plain(IMAGES), atol=1e-5)


def test_the_running_figures_follow_those_of_the_batch():
    layer = FusedBatchNormalization(momentum=0.5)
    x = tf.constant(np.arange(8, dtype="float32").reshape(2, 2, 2, 1))
    layer(x, training=True)
    assert layer.moving_mean.numpy().tolist() == [1.75]  # half of 0 and half of 3.5
    assert layer.moving_variance.numpy() == pytest.approx([3.125])  # half of 1 and half of 5.25
    layer(x, training=False)
    assert layer.moving_mean.numpy().tolist() == [1.75]


def test_bfloat16_stays_close_and_keeps_its_figures_in_float32():
    fused = FusedBatchNormalization(dtype="mixed_bfloat16")
    plain = keras.layers.BatchNormalization(dtype="mixed_bfloat16")
    x = tf.random.stateless_normal((4, 6, 6, 3), (0, 1)) * 3 + 5
    output, expected = fused(x, training=True), plain(x, training=True)
    assert output.dtype == tf.bfloat16
    assert fused.moving_variance.dtype == "float32"
    np.testing.assert_allclose(tf.cast(output, tf.float32), tf.cast(expected, tf.float32), atol=0.05)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-2)


@pytest.mark.parametrize(
    ("options", "shape"),
    [({}, (6, 3)), ({"scale": False}, (2, 4, 4, 3)), ({"axis": 1}, (2, 3, 4, 4)), ({"renorm": True}, (2, 4, 4, 3))],
    ids=["vectors", "no scale", "channels first", "renorm"],
)
def test_what_it_cannot_fuse_is_left_to_keras(options, shape):
    x = tf.random.stateless_normal(shape, (0, 1)) + 2
    fused, plain = FusedBatchNormalization(**options), keras.layers.BatchNormalization(**options)
    np.testing.assert_allclose(fused(x, training=True), plain(x, training=True), atol=1e-5)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-5)
