import numpy as np
import pytest
from sklearn import metrics as sk

from pneumonia.metrics.curves import GRID, curve_band, precision_at, roc_at


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 400)
    return target, (target + rng.normal(size=400)).round(1)


def test_the_area_under_the_drawn_roc_curve_is_the_auc(columns):
    curve = roc_at(*columns, np.ones((1, len(columns[0]))))[0]
    assert np.trapezoid(curve, GRID) == pytest.approx(sk.roc_auc_score(*columns), abs=2e-3)
    assert (np.diff(curve) >= 0).all()


def test_the_precision_of_the_worked_example():
    # In descending order: positive, negative, positive. Half of them are found at precision 1, all at 2 / 3.
    curve = precision_at(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7]), np.ones((1, 3)))[0]
    assert curve[GRID <= 0.5].tolist() == [1.0] * 101
    np.testing.assert_allclose(curve[GRID > 0.5], 2 / 3)


def test_a_weight_of_two_draws_the_curves_of_an_image_that_is_there_twice():
    target, probability = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    twice = np.array([0, 1, 1, 2, 3])
    for curve_at in (roc_at, precision_at):
        weighted = curve_at(target, probability, np.array([[1.0, 2.0, 1.0, 1.0]]))
        np.testing.assert_allclose(weighted, curve_at(target[twice], probability[twice], np.ones((1, 5))))


def test_the_band_holds_the_curve(columns):
    target, probability = columns
    band = {"target": target, "probability": probability, "group": np.arange(400)}
    low, high = curve_band(roc_at, band, seed=0)
    curve = roc_at(target, probability, np.ones((1, 400)))[0]
    assert ((low <= curve + 1e-9) & (curve <= high + 1e-9)).mean() > 0.97
    assert 0.02 < (high - low).mean() < 0.2


def test_resamples_that_lack_a_class_are_left_out_of_the_band():
    columns = {"target": np.array([0, 1]), "probability": np.array([0.1, 0.9]), "group": np.array(["a", "b"])}
    low, high = curve_band(roc_at, columns, seed=0)
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()
