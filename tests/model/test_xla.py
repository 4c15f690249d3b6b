import dataclasses
import logging

import numpy as np
import pytest

from pneumonia.model.hardware import Hardware
from pneumonia.model.networks import make_network
from pneumonia.model.xla import drop_failing_xla

WITH_XLA = Hardware("cpu", (), "float32", True, "a processor with XLA")


@pytest.fixture
def uncompilable():
    """A network with an operation on text, which XLA has not."""
    import keras
    import tensorflow as tf

    class ThroughText(keras.layers.Layer):
        def call(self, x):
            return tf.strings.to_number(tf.strings.as_string(x))

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, "float32")

    image = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(ThroughText()(keras.ops.cast(image, "float32")))
    return keras.Model(image, keras.layers.Dense(1, "sigmoid")(x))


def test_a_network_that_xla_cannot_compile_trains_without_it_and_the_record_says_so(uncompilable, caplog):
    caplog.set_level(logging.INFO)

    hardware = drop_failing_xla(WITH_XLA, uncompilable)

    (said,) = caplog.messages
    assert said.startswith("XLA cannot compile the network here (")
    assert "AsString" in said
    assert said.endswith("). Training goes on without XLA.")
    assert hardware.record()["jit_compile"] is False
    assert hardware.reason.startswith("a processor with XLA, which failed here: without XLA (")
    uncompilable.compile("sgd", "binary_crossentropy", jit_compile=hardware.jit_compile)
    history = uncompilable.fit(np.ones((4, 8, 8, 1), np.uint8), np.ones((4, 1)), verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_the_same_network_does_fail_with_xla(uncompilable):
    import tensorflow as tf

    with pytest.raises(tf.errors.OpError, match="AsString"):
        tf.function(uncompilable, jit_compile=True)(np.ones((4, 8, 8, 1), np.uint8))


def test_a_network_that_xla_compiles_keeps_it_and_is_not_changed(tiny_cnn, caplog):
    network = make_network(tiny_cnn, 32, etiologies=2, seed=0)
    before = network.get_weights()

    assert drop_failing_xla(WITH_XLA, network) is WITH_XLA
    assert caplog.messages == []
    assert all((one == other).all() for one, other in zip(before, network.get_weights(), strict=True))


def test_without_xla_nothing_is_tried(uncompilable):
    plain = dataclasses.replace(WITH_XLA, jit_compile=False)

    assert drop_failing_xla(plain, uncompilable) is plain
