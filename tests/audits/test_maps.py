import numpy as np
import pandas as pd
import pytest
from tests.model.test_predict import make_bright_spot_network

from pneumonia.audits.maps import (
    boxes_in_frame,
    compare_maps,
    correlate_ranks,
    hits_of_others,
    peak_of,
    point_at,
    shuffle_weights,
)


def boxes(*values):
    return pd.DataFrame([values], columns=["left", "top", "right", "bottom"])


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("squeeze", [0.5, 0.25, 1.0, 0.5]),
        ("pad", [0.5, 0.25, 0.75, 0.5]),  # 50 pixels of black on either side of 100
        ("crop", [0.5, 0.0, 1.0, 0.5]),  # 50 pixels of 200 cut off above and below
    ],
)
def test_boxes_follow_the_image_into_the_square(resize, expected):
    np.testing.assert_allclose(boxes_in_frame(boxes(0.5, 0.25, 1.0, 0.5), 100, 200, resize), [expected])


@pytest.mark.parametrize(("row", "column", "hit"), [(2, 7, True), (2, 4, False), (5, 7, False)])
def test_a_peak_hits_where_it_lies_in_a_box(row, column, hit):
    cam = np.zeros((10, 10))
    cam[row, column] = 1
    assert point_at(cam, np.array([[0.5, 0.0, 1.0, 0.5]])) == (hit, 0.25)


def test_the_peaks_of_other_maps_are_what_a_map_without_an_image_would_hit():
    frames = [np.array([[0.0, 0.0, 0.5, 1.0]]), np.array([[0.5, 0.0, 1.0, 1.0]]), np.array([[0.0, 0.0, 0.5, 0.5]])]
    peaks = np.array([[0.2, 0.1], [0.2, 0.9], [0.7, 0.2]])  # of which the first two lie on their lesions
    assert hits_of_others(peaks, frames) == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert hits_of_others(peaks[:1], frames[:1]) is None


def test_an_empty_map_hits_nothing():
    assert point_at(np.zeros((4, 4)), np.array([[0.0, 0.0, 1.0, 1.0]])) == (False, 1.0)


def test_the_peak_of_a_plateau_is_its_middle():
    cam = np.zeros((10, 10))
    cam[2:5, 4:9] = 1
    assert peak_of(cam).tolist() == [0.35, 0.65]
    assert point_at(cam, np.array([[0.4, 0.2, 0.5, 0.5]])) == (False, pytest.approx(0.03))  # has only its corner


def test_boxes_that_overlap_count_once():
    assert point_at(np.ones((10, 10)), np.array([[0, 0, 0.5, 1], [0, 0, 0.5, 1]]))[1] == 0.5


def test_maps_are_compared_by_the_ranks_of_their_values():
    rising = np.arange(9.0).reshape(3, 3)
    assert correlate_ranks(rising, rising**3) == pytest.approx(1)
    assert correlate_ranks(rising, -rising) == pytest.approx(-1)
    assert np.isnan(correlate_ranks(rising, np.ones((3, 3))))


def test_weights_are_shuffled_in_a_copy():
    network = make_bright_spot_network()
    network.get_layer("probability").set_weights([np.array([[1.0], [2.0]]), np.zeros(1)])
    kernels = [shuffle_weights(network, seed).get_layer("probability").get_weights()[0].ravel() for seed in range(8)]
    assert {tuple(kernel) for kernel in kernels} == {(1, 2), (2, 1)}
    assert network.get_layer("probability").get_weights()[0].ravel().tolist() == [1, 2]


def test_maps_that_show_the_image_whatever_the_weights_are_alike(
    tiny_manifest, tiny_stores, lineage, evaluation_parameters
):
    """All weights of this network are equal, so shuffling them changes nothing."""
    found = compare_maps(make_bright_spot_network(), tiny_manifest, tiny_stores, lineage, evaluation_parameters)
    test = tiny_manifest[(tiny_manifest["split"] == "test") & (tiny_manifest["target"] == 1)]
    alike = dict.fromkeys(("similarity", "lowest", "highest"), pytest.approx(1))
    assert found == {"n": len(test), **alike, "blank": 0}
    assert compare_maps(make_bright_spot_network(), tiny_manifest[:0], tiny_stores, lineage, evaluation_parameters) == {
        "n": 0,
        "similarity": None,
        "lowest": None,
        "highest": None,
        "blank": 0,
    }


def test_maps_that_are_the_same_everywhere_are_not_said_to_differ(
    tiny_manifest, tiny_stores, lineage, evaluation_parameters
):
    """A network whose last weights are 0 finds nothing that supports the positive class."""
    network = make_bright_spot_network()
    network.get_layer("probability").set_weights([np.zeros((2, 1)), np.zeros(1)])
    found = compare_maps(network, tiny_manifest, tiny_stores, lineage, evaluation_parameters)
    test = tiny_manifest[(tiny_manifest["split"] == "test") & (tiny_manifest["target"] == 1)]
    assert found == {"n": 0, "similarity": None, "lowest": None, "highest": None, "blank": len(test)}


def test_a_trained_networks_maps_change(network, tiny_manifest, tiny_stores, lineage, evaluation_parameters):
    found = compare_maps(network, tiny_manifest, tiny_stores, lineage, evaluation_parameters)
    assert found["similarity"] < 0.9
