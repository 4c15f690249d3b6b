import numpy as np
import pytest
from tests.model.test_grad_cam import make_bright_spot_network

from pneumonia.audits.maps import compare_maps, correlate_ranks, shuffle_weights


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
