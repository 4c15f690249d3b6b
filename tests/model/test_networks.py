"""The registered networks."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.networks import make_network

# Those of this project: other tests, and users, register networks of their own.
NETWORKS = ("residual_cnn", "separable_cnn")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1)).astype(np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_one_probability_per_image(name: str, pixels: np.ndarray) -> None:
    probability = make_network(name, 64).predict(pixels, verbose=0)
    assert probability.shape == (3, 1)
    assert probability.dtype == np.float32
    assert np.all((probability > 0) & (probability < 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_bytes_and_floats_give_the_same(name: str, pixels: np.ndarray) -> None:
    network = make_network(name, 64)
    np.testing.assert_array_equal(
        network.predict(pixels, verbose=0), network.predict(pixels.astype(np.float32), verbose=0)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_plain_keras_loads_a_saved_network(name: str, pixels: np.ndarray, tmp_path: Path) -> None:
    network = make_network(name, 64)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded.predict(pixels, verbose=0), network.predict(pixels, verbose=0))
    assert loaded.dtype_policy.name == "float32"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_weights(name: str) -> None:
    keras.utils.set_random_seed(11)
    first = make_network(name, 64, seed=1).get_weights()
    keras.utils.set_random_seed(12)
    again = make_network(name, 64, seed=1).get_weights()
    other = make_network(name, 64, seed=2).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_no_two_layers_start_alike(name: str) -> None:
    kernels = [w for w in make_network(name, 64).get_weights() if w.ndim == 4]
    same = [np.array_equal(a, b) for i, a in enumerate(kernels) for b in kernels[:i] if a.shape == b.shape]
    assert same
    assert not any(same)


@pytest.mark.parametrize(("name", "side", "channels"), [("residual_cnn", 4, 128), ("separable_cnn", 4, 256)])
def test_the_layer_features_holds_maps(name: str, side: int, channels: int) -> None:
    assert make_network(name, 64).get_layer("features").output.shape == (None, side, side, channels)


def test_the_separable_network_has_the_notes_size() -> None:
    network = make_network("separable_cnn", 180)
    assert network.count_params() == 3_496_801
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("SeparableConv2D") == 8
    assert kinds.count("MaxPooling2D") == 5
    rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.2, 0.2, 0.7, 0.5, 0.3]


def test_the_default_network_ignores_brightness_and_contrast() -> None:
    network = make_network("residual_cnn", 64)
    image = np.random.default_rng(1).uniform(60, 120, (1, 64, 64, 1)).astype(np.float32)
    np.testing.assert_allclose(
        network.predict(image, verbose=0), network.predict(2.0 * image - 30.0, verbose=0), atol=0.01
    )


def test_a_blank_image_gives_a_finite_probability() -> None:
    blank = np.zeros((1, 64, 64, 1), np.uint8)
    assert np.isfinite(make_network("residual_cnn", 64).predict(blank, verbose=0)).all()


def test_the_default_network_has_its_size() -> None:
    assert make_network("residual_cnn", 128).count_params() == 697_345
    assert make_network("residual_cnn", 96, etiologies=2).count_params() == 697_603


def test_the_default_network_takes_the_same_weights_at_any_size() -> None:
    small, large = make_network("residual_cnn", 64), make_network("residual_cnn", 128)
    large.set_weights(small.get_weights())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_probability_is_the_sum_over_the_etiologies(name: str, pixels: np.ndarray, tmp_path: Path) -> None:
    network = make_network(name, 64, etiologies=2)
    network.save(tmp_path / "network.keras")
    probability, etiology = keras.models.load_model(tmp_path / "network.keras").predict(pixels, verbose=0)
    assert network.output_names == ["probability", "etiology"]
    assert etiology.shape == (3, 3)
    np.testing.assert_allclose(probability, etiology[:, 1:].sum(axis=1, keepdims=True), atol=1e-6)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match=r"'resnet50'; known networks: .*separable_cnn"):
        make_network("resnet50", 64)


def test_a_tiny_image_size_is_refused() -> None:
    with pytest.raises(UserError, match="need 32 or more"):
        make_network("residual_cnn", 16)
