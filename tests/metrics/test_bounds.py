import numpy as np
import pytest

from pneumonia.metrics.bounds import (
    difference,
    exact_bound,
    logit_interval,
    mover,
    newcombe_interval,
    say_difference,
)

NINE_OF_TEN = {"value": 0.9, "low": 0.8, "high": 0.95}


def mean(rates):
    return rates.mean(axis=1)


def test_logit_interval_of_the_worked_example():
    assert logit_interval(0.9, 0.03) == pytest.approx((0.82403, 0.94535), abs=5e-6)


def test_exact_bound_is_that_of_clopper_and_pearson():
    from scipy.stats import beta

    assert exact_bound(30) == pytest.approx(beta.ppf(0.025, 30, 1), abs=1e-12)
    assert exact_bound(30) == pytest.approx(0.88430, abs=5e-6)


@pytest.mark.parametrize("auc", [0.0, 0.3, 0.5, 0.9, 0.996, 1.0])
def test_the_bounds_of_newcombe_solve_his_equation(auc):
    m, n = 45, 16
    k = (m + n) / 2 - 1
    low, high = newcombe_interval(auc, m, n)
    for bound in (low, high):
        if 0 < bound < 1:
            variance = bound * (1 - bound) / (m * n) * (1 + k * (1 - bound) / (2 - bound) + k * bound / (1 + bound))
            assert abs(bound - auc) == pytest.approx(1.959964 * np.sqrt(variance), abs=1e-6)
    assert low <= auc <= high
    assert (low == 0) == (auc == 0)
    assert (high == 1) == (auc == 1)


def test_newcombe_mirrors_an_area_that_is_turned_round():
    low, high = newcombe_interval(0.93, 40, 25)
    assert newcombe_interval(0.07, 40, 25) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_interval_of_a_mean_of_two_rates_adds_their_squares():
    perfect = {"value": 1.0, "low": 0.96, "high": 1.0}
    found = mover(mean, [NINE_OF_TEN, perfect])
    assert found["value"] == pytest.approx(0.95)
    assert found["low"] == pytest.approx(0.95 - np.hypot(0.05, 0.02))
    assert found["high"] == pytest.approx(0.975)


def test_errors_that_go_together_widen_the_interval_of_a_mean():
    found = mover(mean, [NINE_OF_TEN, NINE_OF_TEN], correlation=1.0)
    assert (found["low"], found["high"]) == pytest.approx((0.8, 0.95))


def test_a_function_that_falls_in_both_rates_has_its_bounds_turned_round():
    found = mover(lambda rates: 1 - mean(rates), [NINE_OF_TEN, NINE_OF_TEN])
    assert found["low"] == pytest.approx(0.1 - np.hypot(0.025, 0.025))
    assert found["high"] == pytest.approx(0.1 + np.hypot(0.05, 0.05))


def test_no_bound_passes_the_value_at_both_bounds():
    steep = mover(lambda rates: np.minimum(rates[:, 0], rates[:, 1]), [NINE_OF_TEN, NINE_OF_TEN])
    assert steep["low"] == pytest.approx(0.8)


def test_a_rate_without_bounds_leaves_the_value_alone():
    alone = {"value": 0.9, "low": None, "high": None}
    assert mover(mean, [alone, NINE_OF_TEN]) == {"value": pytest.approx(0.9), "low": None, "high": None}


def test_the_difference_of_two_samples_adds_the_squares_of_the_sides_that_count():
    other = {"value": 0.7, "low": 0.6, "high": 0.75}
    found = difference(NINE_OF_TEN, other)
    assert found["value"] == pytest.approx(0.2)
    assert found["low"] == pytest.approx(0.2 - np.hypot(0.1, 0.05))
    assert found["high"] == pytest.approx(0.2 + np.hypot(0.05, 0.1))


def test_errors_that_go_together_narrow_the_interval_of_a_difference():
    other = {"value": 0.8, "low": 0.7, "high": 0.9}
    found = difference({"value": 0.9, "low": 0.8, "high": 1.0}, other, correlation=1.0)
    assert (found["low"], found["high"]) == pytest.approx((0.1, 0.1))


def test_a_difference_to_something_unknown_is_unknown():
    unknown = {"value": None, "low": None, "high": None}
    assert difference(NINE_OF_TEN, unknown) == unknown
    assert difference(NINE_OF_TEN, {**NINE_OF_TEN, "low": None})["low"] is None


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.01, 0.2, "not shown to be different"),
        (0.0, 0.2, "not shown to be different"),
        (None, None, "not shown to be different"),
        (float("nan"), float("nan"), "not shown to be different"),
    ],
)
def test_only_an_interval_on_one_side_of_no_difference_shows_one(low, high, said):
    assert say_difference({"low": low, "high": high}) == said
