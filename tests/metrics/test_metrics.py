import numpy as np
import pytest
from sklearn import metrics as sk

from pneumonia.metrics.intervals import estimate_metrics
from pneumonia.metrics.metrics import METRIC_NAMES, brier, confusion_cells, confusion_rates, ece, ranking_metrics
from pneumonia.metrics.registry import METRICS, metric


def random_columns(seed, n=300, ties=False):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, n)
    probability = np.clip(0.5 + 0.3 * (target - 0.5) + 0.3 * rng.normal(size=n), 0, 1)
    probability = probability.round(1) if ties else probability
    return {
        "target": target,
        "decision": (probability >= 0.5).astype(int),
        "probability": probability,
    }


def values_of(columns, weights):
    """Compute every metric that weights can resample."""
    values = confusion_rates(confusion_cells(columns["target"], columns["decision"], weights), 0.1)
    for name, entry in METRICS.items():
        if entry.of != "decision" and entry.interval != "own":
            values[name] = entry.function(columns["target"], columns[entry.of], weights)
    return values


def sklearn_values(target, decision, probability, weights):
    w = {"sample_weight": weights}
    return {
        "auc": sk.roc_auc_score(target, probability, **w),
        "average_precision": sk.average_precision_score(target, probability, **w),
        "accuracy": sk.accuracy_score(target, decision, **w),
        "balanced_accuracy": sk.balanced_accuracy_score(target, decision, **w),
        "precision": sk.precision_score(target, decision, **w),
        "sensitivity": sk.recall_score(target, decision, **w),
        "specificity": sk.recall_score(target, decision, pos_label=0, **w),
        "npv": sk.precision_score(target, decision, pos_label=0, **w),
        "f1": sk.f1_score(target, decision, **w),
        "mcc": sk.matthews_corrcoef(target, decision, **w),
        "brier": sk.brier_score_loss(target, probability, **w),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_metrics_of_random_tables_equal_those_of_scikit_learn(seed, ties):
    columns = random_columns(seed, ties=ties)
    weights = np.random.default_rng(seed).integers(0, 4, (1, 300)).astype(float)
    ours = values_of(columns, weights)
    for name, expected in sklearn_values(**columns, weights=weights[0]).items():
        assert ours[name][0] == pytest.approx(expected, abs=1e-12), name


def test_every_metric_has_a_title_of_its_own():
    assert set(METRIC_NAMES) == set(METRICS)
    assert len(set(METRIC_NAMES.values())) == len(METRICS)


def test_a_metric_is_registered_by_the_line_above_its_formula(monkeypatch):
    monkeypatch.setitem(METRICS, "g_mean", None)  # taken out again after the test

    @metric("g_mean", "Geometric mean", of="decision", interval="mover")
    def geometric_mean(cells):
        return np.sqrt(cells.sensitivity * cells.specificity)

    columns = random_columns(0) | {"group": np.arange(300)}
    found = estimate_metrics(columns, 0.1, 200, 0)
    rates = [found[name]["value"] for name in ("sensitivity", "specificity")]
    assert found["g_mean"]["value"] == pytest.approx(np.sqrt(np.prod(rates)))
    assert found["g_mean"]["low"] < found["g_mean"]["value"] < found["g_mean"]["high"]


def test_confusion_cells_are_in_the_order_tn_fp_fn_tp():
    cells = confusion_cells(np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 0, 1, 1, 1]))
    np.testing.assert_array_equal(cells, [[2, 1, 1, 3]])


def test_rates_of_the_worked_example():
    rates = confusion_rates(np.array([180, 20, 30, 270]), prevalence=0.1)
    assert rates["sensitivity"] == 0.9
    assert rates["specificity"] == 0.9
    assert rates["precision_at_prevalence"] == pytest.approx(0.5)  # 0.09 / (0.09 + 0.09)
    assert rates["npv_at_prevalence"] == pytest.approx(0.81 / 0.82)
    assert rates["accuracy"] == 0.9


def test_a_rate_of_nothing_is_no_number():
    rates = confusion_rates(np.array([5, 0, 3, 0]), prevalence=0.1)
    assert rates["sensitivity"] == 0
    assert np.isnan(rates["precision"])
    assert np.isnan(rates["mcc"])


def test_equal_scores_count_half():
    assert ranking_metrics(np.array([0, 1, 0, 1]), np.full(4, 0.7))["auc"][0] == 0.5


def test_auc_of_the_worked_example():
    # Pairs (positive, negative) in order: 3 of 4, one of them tied.
    ranked = ranking_metrics(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.8, 0.1]))
    assert ranked["auc"][0] == (1 + 1 + 0.5 + 1) / 4


def test_a_resample_without_a_class_has_no_auc():
    ranked = ranking_metrics(np.array([0, 1]), np.array([0.2, 0.9]), np.array([[1.0, 0.0], [0.0, 2.0]]))
    assert np.isnan(ranked["auc"]).all()
    assert np.isnan(ranked["average_precision"]).all()


def test_calibration_error_of_the_worked_example():
    # Bin 0.9-1: mean 0.95, observed 0.5, 2 images; bin 0.1-0.2: mean 0.15, observed 0, 2 images.
    columns = np.array([1, 0, 0, 0]), np.array([0.95, 0.95, 0.15, 0.15]), np.ones((1, 4))
    assert ece(*columns)[0] == pytest.approx(0.5 * 0.45 + 0.5 * 0.15)
    assert brier(*columns)[0] == pytest.approx((0.05**2 + 0.95**2 + 2 * 0.15**2) / 4)


def test_a_probability_of_one_is_in_the_last_tenth():
    assert ece(np.array([1]), np.array([1.0]), np.ones((1, 1)))[0] == 0
