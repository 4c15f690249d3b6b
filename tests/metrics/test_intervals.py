import numpy as np
import pytest

from pneumonia.metrics.auc import estimate_auc
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.groups import rate_deviation
from pneumonia.metrics.intervals import (
    WIDTHS,
    design_effect,
    estimate_both_rates,
    estimate_decisions,
    estimate_metrics,
    images_for,
    plan_images,
    rate_difference,
    rates_function,
)
from pneumonia.metrics.metrics import RATE_METRICS
from pneumonia.metrics.registry import METRICS


def make_columns(n=400, seed=0, separation=2.0, group_size=1):
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 2
    probability = 1 / (1 + np.exp(-separation * (target - 0.5) - rng.normal(size=n)))
    return {
        "target": target,
        "decision": (probability >= 0.5).astype(int),
        "probability": probability,
        "group": np.array([f"{'pn'[i % 2]}{i // (2 * group_size)}" for i in range(n)]),
    }


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
    alone = estimate_auc(columns["target"], columns["probability"], columns["group"])
    assert alone == estimate_metrics(columns, 0.1, 300, 7)["auc"]


def test_a_faultless_sample_gets_exact_bounds():
    target = np.repeat([0, 1], [40, 60])
    columns = {
        "target": target,
        "decision": target,
        "probability": target.astype(float),
        "group": np.arange(100),
    }
    estimates = estimate_metrics(columns, 0.1, 300, 0)
    assert estimates["sensitivity"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 60)), "high": 1.0}
    assert estimates["specificity"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 40)), "high": 1.0}
    assert estimates["auc"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 40)), "high": 1.0}
    assert estimates["brier"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.025 ** (1 / 100))}
    worst = 1 - np.hypot(0.6 * (1 - 0.025 ** (1 / 60)), 0.4 * (1 - 0.025 ** (1 / 40)))
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
    bound = 0.025 ** (1 / 200)
    assert balanced == {"value": 0.5, "low": pytest.approx(bound / 2), "high": pytest.approx(1 - bound / 2)}


def test_the_interval_of_the_calibration_error_holds_its_value_and_stays_small():
    columns = make_columns()
    ece = estimate_metrics(columns | {"probability": np.full(400, 0.5)}, 0.1, 300, 0)["ece"]
    assert ece["low"] == ece["value"] == 0.0
    assert 0 < ece["high"] < 0.1


def test_constant_scores_have_an_auc_of_one_half_and_no_number_where_it_is_0_by_0():
    columns = make_columns() | {"probability": np.full(400, 0.2)}
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
    assert estimate_rate(np.array(successes, dtype=float), np.arange(len(successes))) == expected


def test_a_rate_of_single_images_has_nearly_the_bounds_of_clopper_and_pearson():
    successes = np.repeat([0.0, 1.0], [20, 180])
    rate = estimate_rate(successes, np.arange(200))
    assert rate["value"] == 0.9
    assert (rate["low"], rate["high"]) == pytest.approx((0.8498, 0.9378), abs=0.001)


def test_a_rate_of_alike_images_is_that_of_their_groups():
    alone = estimate_rate(np.repeat([0.0, 1.0], [20, 180]), np.arange(200))
    alike = estimate_rate(np.repeat([0.0, 1.0], [80, 720]), np.arange(800) // 4)
    assert alike == pytest.approx(alone, abs=0.001)


def clustered(rng, n_groups, rate, kind):
    """Images that are right or wrong: one a group, or 1 to 20 that are all alike or correlate by a half."""
    if kind == "single":
        return (rng.random(n_groups) < rate).astype(float), np.arange(n_groups)
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 21, n_groups))
    if kind == "alike":
        return (rng.random(n_groups) < rate).astype(float)[groups], groups
    return (rng.random(len(groups)) < rng.beta(rate, 1 - rate, n_groups)[groups]).astype(float), groups


@pytest.mark.parametrize(
    ("n_groups", "rate", "kind"),
    [
        (30, 0.95, "correlated"),
        (30, 0.95, "alike"),
        (100, 0.99, "correlated"),
        (400, 0.99, "alike"),
        (400, 0.99, "single"),
    ],
)
def test_a_rate_is_covered_where_few_groups_fail_together(n_groups, rate, kind):
    rng, n_samples = np.random.default_rng(7), 400
    found = [estimate_rate(*clustered(rng, n_groups, rate, kind)) for _ in range(n_samples)]
    assert sum(one["low"] <= rate <= one["high"] for one in found) / n_samples >= 0.93


def test_the_brier_score_of_30_groups_is_covered():
    rng, n_samples = np.random.default_rng(8), 200
    middle = (
        7.55  # of normal log-odds of each class; with twice that variance they are calibrated, and the AUC is 0.997
    )
    truth = np.mean((1 / (1 + np.exp(middle + np.sqrt(2 * middle) * rng.normal(size=10**6)))) ** 2)
    covered = 0
    group = np.arange(30)
    for _ in range(n_samples):
        target = np.r_[0, 0, 1, 1, rng.integers(0, 2, 26)]
        log_odds = middle * (2 * target - 1) + np.sqrt(2 * middle) * rng.normal(size=30)
        probability = 1 / (1 + np.exp(-log_odds))
        brier = estimate_rate((probability - target) ** 2, group)
        covered += brier["low"] <= truth <= brier["high"]
    assert covered / n_samples >= 0.93
    columns = {"target": target, "decision": target, "probability": probability, "group": group}
    assert brier == estimate_metrics(columns, 0.1, 200, 0)["brier"]


@pytest.mark.parametrize(("n_groups", "size", "highest"), [(2, 100, 0.01), (5, 50, 0.96)])
def test_a_single_error_in_few_groups_does_not_make_a_rate_certain(n_groups, size, highest):
    successes = np.r_[0.0, np.ones(n_groups * size - 1)]
    rate = estimate_rate(successes, np.arange(len(successes)) // size)
    assert rate["low"] < highest
    assert rate["low"] < rate["value"] < rate["high"]


def coverage(truths, sizes):
    """Return each metric's exact coverage, over all counts of errors that single images can have.

    Returns:
        By metric, the share of all samples, and the share of those with exactly one perfect rate.
    """
    from scipy.stats import binom

    target = np.repeat([1, 0], sizes)
    share, groups = sizes[0] / len(target), np.arange(len(target))
    chances = [binom.pmf(np.arange(n + 1), n, 1 - truth) for truth, n in zip(truths, sizes, strict=True)]
    values = {
        name: float(rates_function(METRICS[name].function, share, 0.1)(np.array([truths]))[0]) for name in RATE_METRICS
    }
    held = {name: np.zeros(2) for name in RATE_METRICS}
    total = np.zeros(2)
    for errors in np.argwhere(np.outer(*chances) > 1e-5):
        chance = np.prod([chances[i][errors[i]] for i in (0, 1)]) * np.array([1, (errors == 0).sum() == 1])
        wrong = np.concatenate([np.arange(n) < count for n, count in zip(sizes, errors, strict=True)])
        rates = estimate_both_rates(target, np.where(wrong, 1 - target, target), groups)
        total += chance
        for name, value in values.items():
            found = estimate_decisions(METRICS[name], rates, share, 0.1)
            held[name] += chance * (found["low"] <= value <= (np.inf if found["high"] is None else found["high"]))
    return {name: tuple(part / total) for name, part in held.items()}


@pytest.mark.parametrize(
    ("truths", "sizes"),
    [((0.95, 0.99), (450, 160)), ((0.995, 0.97), (450, 160)), ((0.95, 0.995), (60, 40)), ((0.99, 0.98), (60, 40))],
)
def test_composites_cover_the_truth_where_one_rate_is_perfect(truths, sizes):
    found = coverage(truths, sizes)
    # The exact bound of a perfect rate may miss the truth more often, and so may every metric that rests on that rate.
    of_rates = min(found[rate][1] for rate in ("sensitivity", "specificity"))
    assert set(found) == {name for name, entry in METRICS.items() if entry.of == "decision"}
    for name, (of_all, of_perfect) in found.items():
        rests_on_both = name in ("balanced_accuracy", "accuracy", "f1", "mcc")
        assert of_all >= 0.939, name
        assert of_perfect >= (0.93 if rests_on_both else min(0.93, of_rates - 1e-9)), name


def test_a_perfect_specificity_does_not_hide_how_uncertain_it_is():
    columns = make_columns()
    columns["decision"] = np.where(columns["target"] == 0, 0, columns["decision"])
    found = estimate_metrics(columns, 0.1, 200, 0)
    spread = (found["sensitivity"]["value"] - found["sensitivity"]["low"]) / 2
    assert found["balanced_accuracy"]["value"] - found["balanced_accuracy"]["low"] == pytest.approx(
        np.hypot(spread, (1 - 0.025 ** (1 / 200)) / 2)
    )
    assert found["precision"]["value"] == found["precision"]["high"] == 1
    assert found["precision"]["low"] < 0.995
    ratio = found["likelihood_ratio_positive"]
    assert (ratio["value"], ratio["high"]) == (None, None)
    assert ratio["low"] > 30


def test_likelihood_ratios_of_the_worked_example():
    target = np.repeat([0, 1], [200, 300])
    decision = np.r_[np.repeat([0, 1], [180, 20]), np.repeat([0, 1], [30, 270])]
    columns = make_columns(500) | {"target": target, "decision": decision, "group": np.arange(500)}
    found = estimate_metrics(columns, 0.1, 200, 0)
    positive, negative = found["likelihood_ratio_positive"], found["likelihood_ratio_negative"]
    assert positive["value"] == pytest.approx(9)
    assert negative["value"] == pytest.approx(1 / 9)
    # Simel, J. Clin. Epidemiol. 44 (1991): exp(log 9 -+ 1.96 sqrt(0.1 / 270 + 0.9 / 20)) = 5.93 to 13.66. From exact
    # bounds of the rates, of which a ratio takes the upper one of a small share, it reaches higher.
    assert (positive["low"], positive["high"]) == pytest.approx((5.96, 14.58), rel=1e-3)


def test_groups_that_are_right_and_wrong_by_halves_are_no_more_certain_than_single_images():
    assert rate_deviation(np.array([1.0, 0, 1, 0]), np.array([0, 0, 1, 1])) == 0.25


def test_the_deviation_of_a_rate_over_groups_is_that_of_rao_and_scott():
    # Three groups of two, all right, all right, all wrong: sums of (x - 2/3) / 6 are 1/9, 1/9, -2/9.
    deviation = rate_deviation(np.array([1.0, 1, 1, 1, 0, 0]), np.repeat([0, 1, 2], 2))
    assert deviation == pytest.approx(np.sqrt(3 / 2 * (1 + 1 + 4) / 81))


@pytest.mark.parametrize("rate", [0.95, 0.9, 0.8, 0.7])
@pytest.mark.parametrize("width", [0.2, 0.15, 0.1, 0.05])
def test_an_interval_of_so_many_images_is_as_wide_as_was_planned(rate, width):
    n = images_for(rate, width)
    found = estimate_rate(np.arange(n) < round(rate * n), np.arange(n))
    assert found["high"] - found["low"] == pytest.approx(width, rel=0.1)


def test_images_that_are_alike_in_pairs_take_twice_as_many():
    n = images_for(0.8, 0.1, effect=2.0, groups_per_image=0.5)
    groups = np.arange(n) // 2
    found = estimate_rate(groups < round(0.8 * n / 2), groups)
    assert found["high"] - found["low"] == pytest.approx(0.1, rel=0.05)
    assert n == pytest.approx(2 * images_for(0.8, 0.1), rel=0.01)


def test_the_table_of_the_docs_has_these_numbers(project):
    text = (project / "docs/prediction.md").read_text()
    for rate in (0.95, 0.9, 0.8, 0.7):
        cells = " | ".join(f"{images_for(rate, width):,}" for width in WIDTHS)
        assert f"| {rate:.2f} | {cells} |" in text


def test_what_is_planned_follows_from_the_rate_that_is_drawn_to_a_half():
    """80 of 100 right, drawn to 82 / 104."""
    target = np.r_[np.ones(100, int), np.zeros(50, int)]
    decision = np.r_[np.ones(80, int), np.zeros(20, int), np.zeros(50, int)]
    groups = np.array([f"g{n}" for n in range(150)])
    plan = plan_images(target, decision, groups, widths=[0.1]).set_index("rate")
    row = plan.loc["sensitivity"]
    assert (row["value"], row["n"], row["n_groups"]) == (0.8, 100, 100)
    assert row["design_effect"] == pytest.approx(100 / 99)
    assert row["images"] == images_for(82 / 104, 0.1, 100 / 99)
    assert row["further_images"] == row["further_groups"] == row["images"] - 100


def test_a_perfect_rate_does_not_promise_that_a_handful_suffices():
    target, decision = np.r_[1, 1, 0, 0], np.r_[1, 1, 0, 0]
    plan = plan_images(target, decision, np.array(list("abcd")), widths=[0.2])
    assert plan["images"].tolist() == [images_for(4 / 6, 0.2)] * 2  # 4 of 6 right
    assert plan["images"].min() > 86


def test_images_that_are_there_already_are_not_asked_for_again():
    target = np.r_[np.ones(500, int), np.zeros(500, int)]
    plan = plan_images(target, target, np.arange(1000).astype(str), widths=[0.2])
    assert plan[["further_images", "further_groups"]].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_images_of_one_group_that_are_all_alike_count_as_one():
    right = np.repeat([True, False] * 50, 4)
    groups = np.repeat(np.arange(100), 4).astype(str)
    assert design_effect(right, groups) == pytest.approx(4 * 100 / 99)


@pytest.mark.parametrize("groups", [np.array(["g"] * 6), np.arange(6).astype(str)])
def test_what_cannot_be_estimated_has_no_effect(groups):
    right = np.ones(6, bool) if len(set(groups)) > 1 else np.array([True, False] * 3)
    assert design_effect(right, groups) == 1.0


def test_rates_that_differ_in_no_image_may_differ_in_a_new_group():
    right, groups = np.arange(40) % 3 > 0, np.arange(40) % 28
    most = 1 - 0.025 ** (1 / 28)
    assert rate_difference(right, right, groups) == {"value": 0.0, "low": -most, "high": most}
    assert rate_difference(right[:2], right[:2], groups[:2] * 0) == {"value": 0.0, "low": None, "high": None}
    assert rate_difference(right[:0], right[:0], groups[:0]) == {"value": None, "low": None, "high": None}
