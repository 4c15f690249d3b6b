import zipfile

import keras
import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.averaging import average_networks
from pneumonia.model.networks import make_network
from pneumonia.model.predict import feature_model, forward, grad_cam, load_model, predict, with_features


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)


def named(seed, etiologies):
    network = make_network("residual_cnn", 32, etiologies=etiologies, seed=seed)
    outputs = network.outputs if etiologies else network.outputs[0]
    return keras.Model(network.inputs[0], outputs, name=f"member_{seed + 1}")


@pytest.fixture(
    scope="module",
    params=[(1, 0, False), (1, 2, False), (1, 2, True), (2, 0, True)],
    ids=["one network", "etiologies", "mirrored", "two networks"],
)
def model(request):
    members, etiologies, mirror = request.param
    return average_networks([named(seed, etiologies) for seed in range(members)], mirror=mirror)


def test_probability_and_features_in_one_pass_are_those_of_two(model, images):
    probability, features = with_features(model).predict_on_batch(images)

    np.testing.assert_allclose(probability[:, 0], predict(model, images, 5), atol=1e-6)
    np.testing.assert_allclose(features, feature_model(model).predict_on_batch(images), rtol=1e-4, atol=1e-5)


def test_the_model_itself_is_left_as_it_is(model, images):
    before = predict(model, images, 5)
    with_features(model)
    np.testing.assert_array_equal(predict(model, images, 5), before)


def test_batches_do_not_change_what_is_predicted(model, images):
    np.testing.assert_allclose(predict(model, images, 2), predict(model, images, 5), atol=1e-6)
    assert all(len(output) == 5 for output in forward(model, images, 2))


def test_a_model_that_cannot_be_loaded_is_refused_by_name(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"model\.keras is not a complete model"):
        load_model(tmp_path / "model.keras")


def test_code_that_a_model_carries_is_not_run(tmp_path):
    image = keras.Input((2,))
    keras.Model(image, keras.layers.Lambda(lambda x: x + 1, output_shape=(2,))(image)).save(tmp_path / "model.keras")

    assert keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
    with pytest.raises(UserError, match=r"not a complete model of this project"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("config", [b"[" * 200_000 + b"]" * 200_000, b"[]", b"{}"], ids=["deep", "list", "record"])
def test_a_model_whose_description_is_nested_too_deep_or_empty_is_refused_by_name(tmp_path, config):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(tmp_path / "model.keras", "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, config if name == "config.json" else whole.read(name))

    with pytest.raises(UserError, match=r"model\.keras is not a complete model of this project"):
        load_model(tmp_path / "model.keras")


SIZE = 32


def make_bright_spot_network(name="network"):
    """A network whose answer is the mean of the image's brightness, in 8 x 8 cells."""
    image = keras.Input((SIZE, SIZE, 1), name="image")
    pooled = keras.layers.AveragePooling2D(4)(keras.ops.cast(image, "float32") / 255.0)
    features = keras.layers.Conv2D(2, 1, use_bias=False, name="features", kernel_initializer="ones")(pooled)
    flat = keras.layers.GlobalAveragePooling2D()(features)
    probability = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", name="probability")(flat)
    return keras.Model(image, probability, name=name)


@pytest.fixture(scope="module")
def spots():
    """Two images, each with one bright cell."""
    images = np.zeros((2, SIZE, SIZE, 1), np.uint8)
    images[0, 4:8, 20:24] = 255
    images[1, 24:28, 8:12] = 255
    return images


def test_the_peak_of_the_map_lies_on_what_raises_the_probability(spots):
    maps = grad_cam(make_bright_spot_network(), spots)
    assert maps.shape == (2, SIZE, SIZE)
    peaks = [np.unravel_index(cam.argmax(), cam.shape) for cam in maps]
    assert 4 <= peaks[0][0] < 8
    assert 20 <= peaks[0][1] < 24
    assert 24 <= peaks[1][0] < 28
    assert 8 <= peaks[1][1] < 12
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_the_map_is_empty_where_nothing_speaks_for_the_positive_class(spots):
    network = make_bright_spot_network()
    network.get_layer("probability").set_weights([-np.ones((2, 1)), np.zeros(1)])
    assert grad_cam(network, spots).max() == 0


def test_a_network_that_is_sure_still_has_a_map(spots):
    network = make_bright_spot_network()
    network.get_layer("probability").set_weights([np.full((2, 1), 1e5), np.zeros(1)])
    assert network.predict(spots, verbose=0)[0, 0] == 1.0
    assert grad_cam(network, spots)[0].max() == pytest.approx(1, abs=0.2)


def test_an_average_of_networks_has_the_mean_of_their_maps(spots):
    members = [make_bright_spot_network("a"), make_bright_spot_network("b")]
    image = keras.Input((SIZE, SIZE, 1))
    together = keras.Model(image, keras.layers.Average()([member(image) for member in members]))
    np.testing.assert_allclose(grad_cam(together, spots), grad_cam(members[0], spots), atol=1e-6)


@pytest.mark.parametrize("name", ["residual_cnn", "separable_cnn"])
def test_both_networks_of_the_project_have_maps(name):
    from pneumonia.model.networks import make_network

    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1), np.uint8)
    maps = grad_cam(make_network(name, 64, seed=0), images)
    assert maps.shape == (2, 64, 64)
    assert np.isfinite(maps).all()
