import keras
import numpy as np
import pytest
import tensorflow as tf

from pneumonia.base.parameters import Parameters, TrainingParameters
from pneumonia.model.compiling import compile_network
from pneumonia.model.hardware import Hardware
from pneumonia.model.recipe import Recipe
from pneumonia.model.weight_average import AveragedCopy, averaged_weights, measure_statistics, sample_statistics_batches

CPU = Hardware("cpu", (), "float32", False, "a test")


def test_averaged_weights_follow_the_formula(default_parameters):
    parameters = TrainingParameters(
        **{**default_parameters["training"], "weight_averaging": 0.9, "warmup_epochs": 0.0, "learning_rate": 0.1}
    )
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    compile_network(network, parameters, 10, CPU)
    x, y = np.ones((4, 1), "float32"), np.ones((4, 1), "float32")
    seen = []
    for _ in range(3):
        network.train_on_batch(x, y)
        seen.append(network.get_weights()[0].item())

    # The first step sets the average, each later one moves it by a tenth.
    expected = seen[0]
    for weight in seen[1:]:
        expected = 0.9 * expected + 0.1 * weight
    assert averaged_weights(network)[0].item() == pytest.approx(expected, rel=1e-5)


def normalised(start=None):
    """A network of one batch normalisation, with dropout before it if `start` is given."""
    layers = [keras.Input((1,))] + ([keras.layers.Dropout(0.5, seed=start)] if start is not None else [])
    return keras.Sequential([*layers, keras.layers.BatchNormalization(momentum=0.97)])


def test_statistics_are_the_means_over_batches():
    network = normalised()
    # Means 1 and 4, variances 1 and 4.
    batches = [tf.constant([[0.0], [2.0]]), tf.constant([[2.0], [6.0]])]
    measure_statistics(network, batches, tf.function(lambda x: network(x, training=True)))

    layer = network.layers[-1]
    assert layer.moving_mean.numpy().tolist() == [2.5]
    assert layer.moving_variance.numpy().tolist() == [2.5]
    assert layer.momentum == 0.97


def test_statistics_of_a_network_inside_a_network_are_measured_too():
    inner = normalised()
    outer = keras.Sequential([keras.Input((1,)), inner])
    measure_statistics(outer, [tf.constant([[0.0], [2.0]])], tf.function(lambda x: outer(x, training=True)))

    assert inner.layers[-1].moving_mean.numpy().tolist() == [1.0]


def test_a_copy_follows_twice_to_the_same_statistics():
    network = normalised(start=1)
    network.compile(keras.optimizers.SGD(), "mse")
    copy = AveragedCopy(normalised(start=1), None, [tf.constant(np.arange(64.0)[:, None])])
    copy.follow(network)
    first = copy.network.get_weights()
    copy.follow(network)

    for a, b in zip(first, copy.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_batches_the_networks_own_statistics_are_kept():
    network = normalised()
    network.compile(keras.optimizers.SGD(), "mse")
    network.layers[-1].moving_mean.assign([7.0])
    copy = AveragedCopy(normalised(), None, [])
    copy.follow(network)

    assert copy.network.layers[-1].moving_mean.numpy().tolist() == [7.0]


def test_every_other_batch_for_the_statistics_is_augmented(tiny_store, tiny_manifest, default_parameters):
    train = tiny_manifest[tiny_manifest["split"] == "train"]
    training = {**default_parameters["training"], "batch_size": 8}
    given = Parameters.model_validate({**default_parameters, "training": training})
    batches = sample_statistics_batches(
        tiny_store, train, Recipe(inputs=given.inputs, model=given.model, training=given.training, class_weights={})
    )

    stored = {image.tobytes() for image in tiny_store.read(tiny_store.rows(train["sha256"]))}
    as_stored = [sum(image.tobytes() in stored for image in batch.numpy()) for batch in batches]
    assert as_stored[0] == as_stored[2] == 8
    assert as_stored[1] < 8
