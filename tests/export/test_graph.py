import numpy as np
import pytest

from pneumonia.export.graph import complete_graph
from pneumonia.export.range_graph import grey_description
from pneumonia.model.grad_cam import _coarse_map
from pneumonia.model.predict import first_network, forward, with_features
from pneumonia.predictor.image_range import FEATURES, GREY, describe_grey, relative_distances


def ask(predictor, pixels):
    return complete_graph(predictor.model, predictor.image_range).predict_on_batch(pixels)


def test_probability_and_etiology_are_the_models_own(predictor, pixels):
    said = ask(predictor, pixels)
    probability, etiology = forward(predictor.model, pixels, 64)

    assert said["probability"] == pytest.approx(probability, abs=1e-6)
    assert said["etiology"] == pytest.approx(etiology, abs=1e-6)
    assert probability.min() < 0.4
    assert probability.max() > 0.6


@pytest.mark.parametrize("is_zoomed", [False, True])
def test_the_distances_are_those_of_the_predictor(make, zoomed, predictor_of, pixels, is_zoomed):
    network = make("residual_cnn", etiologies=2)
    predictor = predictor_of(zoomed(network, whole=True) if is_zoomed else make("residual_cnn", 2))
    _, features = forward(with_features(predictor.model), pixels, 64)
    parts = relative_distances({GREY: describe_grey(pixels), FEATURES: features}, predictor.image_range["parts"])
    expected = np.column_stack([parts[GREY], parts[FEATURES]]) / predictor.image_range["bound"]

    assert ask(predictor, pixels)["distance"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [32, 50, 130])
def test_the_grey_values_are_described_as_outside_of_the_graph(size):
    import keras

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, size, size, 1)).astype(np.uint8)
    images[0] = 7  # blank
    images[1, : size // 2] = 255
    image = keras.Input((size, size, 1))
    described = keras.Model(image, grey_description(image)).predict_on_batch(images.astype(np.float32))

    assert described == pytest.approx(describe_grey(images), abs=2e-5)


@pytest.mark.parametrize(("etiologies", "is_zoomed"), [(0, False), (2, False), (2, True)])
def test_the_map_is_that_of_grad_cam_on_the_whole_image(make, zoomed, predictor_of, pixels, etiologies, is_zoomed):
    network = make("residual_cnn", etiologies=etiologies, mirror=not is_zoomed)
    predictor = predictor_of(zoomed(network, whole=True) if is_zoomed else network)
    expected = _coarse_map(first_network(predictor.model), pixels)

    assert expected.max() == 1
    assert ask(predictor, pixels)["map"] == pytest.approx(expected, abs=1e-4)


def test_where_no_view_is_the_whole_image_there_is_no_map(make, zoomed, predictor_of, pixels):
    predictor = predictor_of(zoomed(make("residual_cnn", etiologies=2), whole=False))
    assert set(ask(predictor, pixels)) == {"probability", "distance", "etiology"}


def test_a_network_that_flattens_its_maps_has_no_map(make, predictor_of, pixels):
    assert set(ask(predictor_of(make("separable_cnn")), pixels)) == {"probability", "distance"}
