import numpy as np
import pytest

from pneumonia.metrics.groups import bootstrap, resample_groups


def test_every_resample_draws_as_many_groups_as_there_are():
    groups = np.array(["a", "a", "b", "c", "c", "c"])
    weights = np.concatenate(list(resample_groups(groups, 600, seed=3)))
    assert weights.shape == (600, 6)
    np.testing.assert_array_equal(weights[:, [0, 2, 3]].sum(axis=1), 3)


def test_images_of_one_group_are_drawn_together():
    groups = np.array(["a", "b", "a", "b"])
    weights = next(resample_groups(groups, 50, seed=0))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 3])


def test_draws_do_not_depend_on_the_order_of_the_images():
    groups = np.array(["a", "a", "b", "c", "d"])
    order = np.array([4, 2, 0, 3, 1])
    straight, mixed = (next(resample_groups(g, 100, seed=1)) for g in (groups, groups[order]))
    np.testing.assert_array_equal(straight[:, order], mixed)


def test_the_bootstrap_deviation_of_a_mean_is_the_one_that_theory_gives():
    values = np.random.default_rng(0).normal(size=500)
    replicates = bootstrap(
        lambda weights: {"mean": weights @ values / weights.sum(axis=1)}, np.arange(500), 2000, seed=0
    )
    assert np.std(replicates["mean"]) == pytest.approx(values.std() / np.sqrt(500), rel=0.05)
