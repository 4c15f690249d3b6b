import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.metrics.calibration import apply_calibration, at_prevalence, fit_calibration, reliability
from pneumonia.metrics.logistic import fit_slope, logit


@pytest.fixture
def overconfident():
    """20,000 images whose true log-odds are half of what the network says."""
    rng = np.random.default_rng(0)
    said = rng.normal(0, 3, 20_000)
    target = (rng.random(20_000) < 1 / (1 + np.exp(-said / 2))).astype(int)
    return 1 / (1 + np.exp(-said)), target


def test_the_slope_of_a_network_that_doubles_its_log_odds_is_a_half(overconfident):
    calibration = fit_calibration(*overconfident, "logistic")
    assert calibration["slope"] == pytest.approx(0.5, rel=0.03)
    assert calibration["intercept"] == pytest.approx(0, abs=0.05)


def test_logistic_recalibration_of_the_worked_example():
    record = {"method": "logistic", "slope": 0.5, "intercept": np.log(2)}
    # The odds 1 : 9, 1 and 9 become 1 : 3, 1 and 3, and are then doubled.
    np.testing.assert_allclose(apply_calibration(np.array([0.1, 0.5, 0.9]), record), [0.4, 2 / 3, 6 / 7])


@pytest.mark.parametrize("sizes", [(50, 50), (3, 40), (1, 1)])
def test_recalibration_stays_finite_and_right_in_the_large_where_the_classes_separate(sizes):
    target = np.repeat([0, 1], sizes)
    probability = np.where(target == 1, 0.7, 0.3) + np.arange(len(target)) / 1000
    calibration = fit_calibration(probability, target, "logistic")
    calibrated = apply_calibration(probability, calibration)
    assert 0 < calibration["slope"] < 20
    assert calibrated.mean() == pytest.approx(target.mean(), abs=1e-9)
    assert calibrated[target == 1].min() > calibrated[target == 0].max()
    assert calibration["prevalence"] == target.mean()


def test_two_pairs_of_scores_have_the_slope_of_firths_formula():
    # With scores -1 and 1 Firth adds a half to each cell of the two by two table: 9.5 : 1.5 and 2.5 : 8.5.
    log_odds, target = (
        np.repeat([-1.0, 1.0], [11 - 1, 11 - 1]),
        np.r_[np.repeat([0, 1], [9, 1]), np.repeat([0, 1], [2, 8])],
    )
    expected = (np.log(8.5 / 2.5) - np.log(1.5 / 9.5)) / 2
    assert fit_slope(log_odds, target) == pytest.approx(expected, abs=1e-4)


def test_a_network_worse_than_chance_gets_the_share_of_positives_not_a_turned_order(overconfident):
    probability, target = overconfident
    calibrated = apply_calibration(probability, fit_calibration(1 - probability, target, "logistic"))
    np.testing.assert_allclose(calibrated, target.mean())


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_calibration_makes_probabilities_agree_with_what_is_seen(overconfident, method):
    probability, target = overconfident
    calibration = fit_calibration(probability, target, method)
    before, after = (
        np.abs(bins["predicted"] - bins["seen"]).max()
        for bins in (
            reliability(p, target, np.arange(len(target)))
            for p in (probability, apply_calibration(probability, calibration))
        )
    )
    assert before > 0.1
    assert after < 0.03


def test_isotonic_never_turns_the_order_round(overconfident):
    calibration = fit_calibration(*overconfident, "isotonic")
    assert (np.diff(apply_calibration(np.linspace(0, 1, 101), calibration)) >= 0).all()


def test_no_calibration_leaves_probabilities_as_they_are():
    probability = np.array([0.0, 0.3, 1.0])
    calibration = fit_calibration(probability, np.array([0, 1, 1]), "none")
    assert calibration == {"method": "none", "prevalence": pytest.approx(2 / 3)}
    np.testing.assert_array_equal(apply_calibration(probability, calibration), probability)


def test_a_record_of_another_release_is_refused():
    with pytest.raises(UserError, match="temperature"):
        apply_calibration(np.array([0.3]), {"method": "temperature", "temperature": 2.0, "shift": 0.0})


def test_certain_probabilities_have_a_finite_logit():
    np.testing.assert_allclose(logit(np.array([0.0, 1.0])), [-16.118, 16.118], atol=1e-3)


def test_reliability_leaves_out_empty_tenths():
    bins = reliability(np.array([0.05, 0.05, 0.95, 1.0]), np.array([0, 1, 1, 1]), np.arange(4))
    np.testing.assert_array_equal(bins["bin"], [0, 9])
    np.testing.assert_array_equal(bins["n"], [2, 2])
    np.testing.assert_allclose(bins["predicted"], [0.05, 0.975])
    np.testing.assert_array_equal(bins["seen"], [0.5, 1.0])
    np.testing.assert_allclose([bins["low"][1], bins["high"][1]], [np.sqrt(0.025), 1])


def test_recalibration_takes_back_the_shift_that_class_weights_bring():
    rng = np.random.default_rng(0)
    truth = rng.normal(1, 2, 20_000)
    target = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(int)
    calibration = fit_calibration(1 / (1 + np.exp(-(truth - 1.1))), target, "logistic")  # weighted 3 to 1
    assert calibration["slope"] == pytest.approx(1, abs=0.03)
    assert calibration["intercept"] == pytest.approx(1.1, abs=0.06)


def test_a_probability_moves_with_the_prevalence_by_bayes_rule():
    assert at_prevalence(0.75, 0.1, 0.75) == pytest.approx(0.1)
    # Odds of 9 where the odds of the classes are 3; where they are 1 : 9, they are 9 / 27.
    np.testing.assert_allclose(at_prevalence(np.array([0.9, 0.75]), 0.1, 0.75), [0.25, 0.1])
    assert at_prevalence(0.42, 0.3, 0.3) == pytest.approx(0.42)
