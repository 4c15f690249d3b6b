import time

import numpy as np
import pytest

from pneumonia.metrics.intervals import (
    bootstrap,
    difference_interval,
    estimate_auc,
    estimate_metrics,
    estimate_rate,
    exact_bound,
    logit_interval,
    resample_groups,
)
from pneumonia.metrics.metrics import METRICS


def make_columns(n=400, seed=0, separation=2.0, group_size=1):
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 2
    probability = 1 / (1 + np.exp(-separation * (target - 0.5) - rng.normal(size=n)))
    return {
        "target": target,
        "decision": (probability >= 0.5).astype(int),
        "probability": probability,
        "calibrated_probability": probability,
        "group": np.array([f"{'pn'[i % 2]}{i // (2 * group_size)}" for i in range(n)]),
    }


def test_logit_interval_of_the_worked_example():
    assert logit_interval(0.9, 0.03) == pytest.approx((0.82403, 0.94535), abs=5e-6)


def test_logit_interval_of_a_correlation_lies_within_minus_one_and_one():
    low, high = logit_interval(0.98, 0.05, lowest=-1.0)
    assert -1 < low < 0.98 < high < 1


def test_exact_bound_is_that_of_clopper_and_pearson():
    from scipy.stats import beta

    assert exact_bound(30) == pytest.approx(beta.ppf(0.025, 30, 1), abs=1e-12)
    assert exact_bound(30) == pytest.approx(0.88430, abs=5e-6)


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


def test_groups_of_alike_images_widen_the_interval():
    columns = make_columns()
    copied = {name: np.tile(values, 4) for name, values in columns.items()}
    alone = copied | {"group": np.arange(1600)}
    kept, split = (estimate_metrics(c, 0.1, 500, 0)["auc"] for c in (copied, alone))
    single = estimate_metrics(columns, 0.1, 500, 0)["auc"]
    assert kept == pytest.approx(single, abs=1e-12)
    assert split["high"] - split["low"] < 0.6 * (kept["high"] - kept["low"])


def test_every_metric_has_a_value_within_its_interval():
    for name, estimate in estimate_metrics(make_columns(group_size=2), 0.1, 500, 0).items():
        assert name in METRICS
        assert estimate["low"] < estimate["value"] < estimate["high"], name


def test_the_estimates_of_auc_alone_and_among_all_metrics_agree():
    columns = make_columns()
    alone = estimate_auc(columns["target"], columns["probability"], columns["group"], 300, 7)
    assert alone == estimate_metrics(columns, 0.1, 300, 7)["auc"]


def test_a_faultless_sample_gets_exact_bounds():
    target = np.repeat([0, 1], [40, 60])
    columns = {
        "target": target,
        "decision": target,
        "probability": target * 0.8 + 0.1,
        "calibrated_probability": target.astype(float),
        "group": np.arange(100),
    }
    estimates = estimate_metrics(columns, 0.1, 300, 0)
    assert estimates["sensitivity"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 60)), "high": 1.0}
    assert estimates["specificity"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 40)), "high": 1.0}
    assert estimates["auc"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 40)), "high": 1.0}
    assert estimates["brier"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.025 ** (1 / 100))}
    worst = 0.6 * 0.0125 ** (1 / 60) + 0.4 * 0.0125 ** (1 / 40)
    assert estimates["accuracy"] == {"value": 1.0, "low": pytest.approx(worst), "high": 1.0}
    for name in ("precision", "npv", "f1", "mcc", "balanced_accuracy", "average_precision"):
        assert 0.7 < estimates[name]["low"] < estimates[name]["high"] == 1.0, name


def test_a_model_that_is_always_wrong_gets_bounds_from_below():
    target = np.repeat([0, 1], 30)
    wrong = (1 - target).astype(float)
    columns = {
        "target": target,
        "decision": 1 - target,
        "probability": wrong,
        "calibrated_probability": wrong,
        "group": np.arange(60),
    }
    estimates = estimate_metrics(columns, 0.1, 300, 0)
    assert estimates["auc"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.025 ** (1 / 30))}
    assert estimates["mcc"]["value"] == estimates["mcc"]["low"] == -1.0
    assert -1 < estimates["mcc"]["high"] < 0
    assert 0 < estimates["f1"]["high"] < 0.3


def test_calling_every_image_positive_leaves_the_balanced_accuracy_uncertain():
    columns = make_columns() | {"decision": np.ones(400, dtype=int)}
    balanced = estimate_metrics(columns, 0.1, 300, 0)["balanced_accuracy"]
    bound = 0.0125 ** (1 / 200)
    assert balanced == {"value": 0.5, "low": pytest.approx(bound / 2), "high": pytest.approx(1 - bound / 2)}


def test_the_interval_of_the_calibration_error_holds_its_value_and_stays_small():
    columns = make_columns()
    ece = estimate_metrics(columns | {"calibrated_probability": np.full(400, 0.5)}, 0.1, 300, 0)["ece"]
    assert ece["low"] == ece["value"] == 0.0
    assert 0 < ece["high"] < 0.1


def test_constant_scores_have_an_auc_of_one_half_and_no_number_where_it_is_0_by_0():
    columns = make_columns() | {name: np.full(400, 0.2) for name in ("probability", "calibrated_probability")}
    columns["decision"] = np.zeros(400, dtype=int)
    estimates = estimate_metrics(columns, 0.1, 300, 0)
    assert estimates["auc"]["value"] == 0.5
    assert estimates["precision"] == estimates["mcc"] == {"value": None, "low": None, "high": None}
    assert not any(np.isnan(v) for e in estimates.values() for v in e.values() if v is not None)


@pytest.mark.parametrize("n_groups", [1, 2])
def test_too_few_groups_leave_the_value_without_an_interval(n_groups):
    columns = make_columns() | {"group": np.arange(400) % 2 if n_groups == 2 else np.zeros(400)}
    auc = estimate_metrics(columns, 0.1, 300, 0)["auc"]
    assert auc["value"] == pytest.approx(0.92, abs=0.03)
    assert auc["low"] is None
    assert auc["high"] is None


@pytest.mark.parametrize(
    ("successes", "expected"),
    [
        ([1] * 20, {"value": 1.0, "low": 0.025 ** (1 / 20), "high": 1.0}),
        ([0] * 20, {"value": 0.0, "low": 0.0, "high": 1 - 0.025 ** (1 / 20)}),
        ([1], {"value": 1.0, "low": None, "high": None}),
        ([], {"value": None, "low": None, "high": None}),
    ],
)
def test_a_rate_at_the_edge_has_an_exact_bound(successes, expected):
    assert estimate_rate(np.array(successes, dtype=float), np.arange(len(successes)), 300, 0) == expected


def test_a_rate_in_between_has_the_logit_interval_of_its_binomial_deviation():
    successes = np.repeat([0.0, 1.0], [20, 180])
    rate = estimate_rate(successes, np.arange(200), 2000, 0)
    expected = logit_interval(0.9, np.sqrt(0.9 * 0.1 / 200))
    assert rate["value"] == 0.9
    assert (rate["low"], rate["high"]) == pytest.approx(expected, abs=0.004)


def test_a_paired_difference_of_equal_runs_is_exactly_nothing():
    assert difference_interval(0.0, np.zeros(300)) == (0.0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.90, 0.98])
def test_the_interval_of_the_auc_covers_the_truth_in_95_of_100_samples(auc):
    from scipy.stats import norm

    shift = norm.ppf(auc) * np.sqrt(2)
    covered = 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        sizes = rng.choice([1, 2, 3], 400, p=[0.6, 0.2, 0.2])
        codes = np.repeat(np.arange(400), sizes)
        target = (codes < 240).astype(int)
        # Half of the variance is shared by the images of a group.
        scores = (rng.normal(size=400)[codes] + rng.normal(size=len(codes))) / np.sqrt(2) + shift * target
        estimate = estimate_auc(target, scores, codes, 400, seed)
        covered += estimate["low"] <= auc <= estimate["high"]
    assert 0.92 <= covered / 500 <= 0.98


@pytest.mark.slow
def test_2000_resamples_of_6000_images_take_under_ten_seconds():
    columns = make_columns(n=6000, group_size=2)
    started = time.process_time()
    estimate_metrics(columns, 0.1, 2000, 0)
    assert time.process_time() - started < 10
