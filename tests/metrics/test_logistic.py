import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from pneumonia.metrics.calibration import fit_calibration
from pneumonia.metrics.logistic import expit, logit, mean_shift, observed_over_expected, recalibration_slope

NONE = {"low": None, "high": None}


def draw(rng, n_groups=200, slope=1.0, shift=0.0, size=2):
    """Images whose log-odds are `slope` times the predicted ones, plus `shift`; groups share a prediction."""
    group = np.arange(n_groups * size) // size
    said = rng.normal(0.5, 2, n_groups)[group]
    target = (rng.random(len(group)) < expit(slope * said + shift)).astype(int)
    return target, expit(said), group


def test_calibration_in_the_large_of_the_worked_example():
    # Half of the images are positive, and the prediction for all is 0.2: the odds need a factor of 4.
    found = mean_shift(np.array([0, 1] * 50), np.full(100, 0.2), np.arange(100))
    assert found["value"] == pytest.approx(np.log(4))
    # 100 groups tell that they vary 100 / 99 times as much as images, and eight alike ones, 1 time.
    effect = (100 * 100 / 99 + 8) / 108
    for bound in (found["low"], found["high"]):
        share = expit(bound - np.log(4))
        fall = (50 / effect + 0.5) * np.log(0.25 / (share * (1 - share)))
        assert fall == pytest.approx(student.ppf(0.975, 99) ** 2 / 2, rel=1e-3)


def test_observed_over_expected_of_the_worked_example():
    found = observed_over_expected(np.array([0, 1] * 50), np.full(100, 0.25), np.arange(100))
    assert found["value"] == 2
    half_width = student.ppf(0.975, 99) * np.sqrt(100 / 99 * 100 * 0.25) / 50
    assert (found["low"], found["high"]) == pytest.approx((2 * np.exp(-half_width), 2 * np.exp(half_width)), abs=1e-6)


def test_observed_over_expected_without_errors_has_the_binomial_deviation():
    # Of 40 images half are positive and all were nearly certain: the ratio is known no better than to 1 / 20 x 0.14.
    target, group = np.array([0, 1] * 20), np.arange(40)
    found = observed_over_expected(target, np.where(target == 1, 0.9995, 0.0005), group)
    half_width = student.ppf(0.975, 39) * np.sqrt(40 * 0.9995 * 0.0005) / 20
    assert np.log([found["low"], found["high"]]) == pytest.approx((-half_width, half_width), rel=1e-3)
    certain = observed_over_expected(target, target.astype(float), group)
    assert certain == {"value": 1.0, **NONE}


def test_probabilities_that_are_all_alike_have_no_slope():
    found = recalibration_slope(np.array([0, 1] * 10), np.full(20, 0.3), np.arange(20))
    assert found == {"value": None, **NONE}


def test_what_float32_rounds_is_no_spread():
    rng = np.random.default_rng(0)
    for value in (0.3, 0.5, 0.999):
        probability = np.float32(value) * (1 + np.float32(6e-8) * rng.integers(-1, 2, 200)).astype(np.float64)
        assert recalibration_slope(np.arange(200) % 2, probability, np.arange(200)) == {"value": None, **NONE}
        assert fit_calibration(probability, np.arange(200) % 2, "logistic")["slope"] == 0


def test_one_group_has_values_without_bounds():
    target, probability, _ = draw(np.random.default_rng(0))
    one = np.zeros(len(target))
    for measure in (mean_shift, recalibration_slope, observed_over_expected):
        found = measure(target, probability, one)
        assert found["value"] is not None
        assert (found["low"], found["high"]) == (None, None)


def test_certain_probabilities_that_are_wrong_are_finite():
    target, probability = np.array([0, 1] * 20), np.array([1.0, 0.0] * 20)
    for measure in (mean_shift, recalibration_slope, observed_over_expected):
        assert np.isfinite(list(measure(target, probability, np.arange(40)).values())).all()


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.8), (0.6, 0.0), (1.5, -0.5)])
def test_intervals_of_calibration_cover_the_truth(slope, shift):
    rng, covered = np.random.default_rng(21), np.zeros(2)
    for _ in range(120):
        target, probability, group = draw(rng, slope=slope, shift=shift)
        steep = recalibration_slope(target, probability, group)
        covered[0] += steep["low"] <= slope <= steep["high"]
        if slope == 1:
            large = mean_shift(target, probability, group)
            covered[1] += large["low"] <= shift <= large["high"]
    assert covered[0] / 120 >= 0.92
    assert covered[1] / 120 >= 0.92 or slope != 1


@pytest.mark.parametrize(("auc", "largest"), [(0.997, 1), (0.99, 1), (0.95, 20)])
def test_a_perfectly_calibrated_model_of_30_groups_is_seldom_called_miscalibrated(auc, largest):
    rng, covered, n_samples = np.random.default_rng(5), np.zeros(2), 150
    middle = norm.ppf(auc) ** 2  # log-odds of the two classes are normal about it and its negative
    for _ in range(n_samples):
        size = rng.integers(1, largest + 1, 30)
        classes = np.r_[0, 1, rng.integers(0, 2, 28)]
        log_odds = middle * (2 * classes - 1) + np.sqrt(2 * middle) * rng.normal(size=30)
        target, probability, group = (np.repeat(values, size) for values in (classes, expit(log_odds), np.arange(30)))
        for index, (measure, ideal) in enumerate(((recalibration_slope, 1), (mean_shift, 0))):
            found = measure(target, probability, group)
            covered[index] += found["low"] <= ideal <= found["high"]
    assert (covered / n_samples >= 0.91).all()  # 0.95, less twice what 150 samples vary


def test_logit_is_the_inverse_of_expit():
    np.testing.assert_allclose(expit(logit([0.01, 0.5, 0.99])), [0.01, 0.5, 0.99])
