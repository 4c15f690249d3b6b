import numpy as np
import pytest

from pneumonia.metrics.calibration import apply_calibration, fit_calibration, logit, reliability


@pytest.fixture
def overconfident():
    """20,000 images whose true log-odds are half of what the network says."""
    rng = np.random.default_rng(0)
    said = rng.normal(0, 3, 20_000)
    target = (rng.random(20_000) < 1 / (1 + np.exp(-said / 2))).astype(int)
    return 1 / (1 + np.exp(-said)), target


def test_the_temperature_of_a_network_that_doubles_its_log_odds_is_two(overconfident):
    assert fit_calibration(*overconfident, "temperature")["temperature"] == pytest.approx(2, rel=0.03)


def test_temperature_keeps_the_order_and_the_half():
    calibrated = apply_calibration(
        np.array([0.1, 0.5, 0.9]), {"method": "temperature", "temperature": 2.0, "shift": 0.0}
    )
    np.testing.assert_allclose(calibrated, [0.25, 0.5, 0.75])  # odds 1 : 9 become 1 : 3


def test_temperature_stays_finite_where_the_classes_separate():
    target = np.repeat([0, 1], 50)
    calibration = fit_calibration(np.repeat([0.3, 0.7], 50), target, "temperature")
    calibrated = apply_calibration(np.array([0.7]), calibration)
    assert calibrated[0] == pytest.approx(51 / 52, abs=1e-3)  # Platt's target


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_calibration_makes_probabilities_agree_with_what_is_seen(overconfident, method):
    probability, target = overconfident
    calibration = fit_calibration(probability, target, method)
    before, after = (
        np.abs(bins["predicted"] - bins["seen"]).max()
        for bins in (reliability(p, target) for p in (probability, apply_calibration(probability, calibration)))
    )
    assert before > 0.1
    assert after < 0.03


def test_isotonic_never_turns_the_order_round(overconfident):
    calibration = fit_calibration(*overconfident, "isotonic")
    assert (np.diff(apply_calibration(np.linspace(0, 1, 101), calibration)) >= 0).all()


def test_no_calibration_leaves_probabilities_as_they_are():
    probability = np.array([0.0, 0.3, 1.0])
    calibration = fit_calibration(probability, np.array([0, 1, 1]), "none")
    assert calibration == {"method": "none"}
    np.testing.assert_array_equal(apply_calibration(probability, calibration), probability)


def test_certain_probabilities_have_a_finite_logit():
    np.testing.assert_allclose(logit(np.array([0.0, 1.0])), [-16.118, 16.118], atol=1e-3)


def test_reliability_leaves_out_empty_tenths():
    bins = reliability(np.array([0.05, 0.05, 0.95, 1.0]), np.array([0, 1, 1, 1]))
    np.testing.assert_array_equal(bins["bin"], [0, 9])
    np.testing.assert_array_equal(bins["n"], [2, 2])
    np.testing.assert_allclose(bins["predicted"], [0.05, 0.975])
    np.testing.assert_array_equal(bins["seen"], [0.5, 1.0])


def test_platt_takes_back_the_shift_that_class_weights_bring():
    rng = np.random.default_rng(0)
    truth = rng.normal(1, 2, 20_000)
    target = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(int)
    calibration = fit_calibration(1 / (1 + np.exp(-(truth - 1.1))), target, "platt")  # weighted 3 to 1
    assert calibration["temperature"] == pytest.approx(1, abs=0.03)
    assert calibration["shift"] == pytest.approx(1.1, abs=0.06)
    assert fit_calibration(1 / (1 + np.exp(-(truth - 1.1))), target, "temperature")["shift"] == 0
