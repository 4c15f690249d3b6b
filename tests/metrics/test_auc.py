import numpy as np
import pytest
from sklearn import metrics as sk

from pneumonia.metrics.auc import GRID, auc_difference, auc_parts, curve_band, estimate_auc, precision_at, roc_at
from pneumonia.metrics.bounds import newcombe_interval
from pneumonia.metrics.groups import bootstrap
from pneumonia.metrics.metrics import ranking_metrics


def draw_sample(rng, auc=0.9, ratio=1.0, sizes=(450, 160)):
    """Groups of one to three images (negatives of one or two), half of the variance shared within a group."""
    from scipy.stats import norm

    counts = np.r_[rng.choice([1, 2, 3], sizes[0], p=[0.6, 0.2, 0.2]), rng.choice([1, 2], sizes[1], p=[0.9, 0.1])]
    group = np.repeat(np.arange(sum(sizes)), counts)
    target = (group < sizes[0]).astype(int)
    noise = (rng.normal(size=sum(sizes))[group] + rng.normal(size=len(group))) / np.sqrt(2)
    shift = norm.ppf(auc) * np.sqrt(1 + ratio**2)
    return target, np.where(target == 1, shift + ratio * noise, noise), group


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_area_is_that_of_the_curve_with_ties_for_half(decimals):
    target, score, group = draw_sample(np.random.default_rng(0))
    score = score.round(decimals)
    assert auc_parts(target, score, group).value == pytest.approx(ranking_metrics(target, score)["auc"][0], abs=1e-12)


def test_the_variance_of_the_components_is_that_of_the_bootstrap_over_groups():
    target, score, group = draw_sample(np.random.default_rng(1))
    replicates = bootstrap(lambda weights: ranking_metrics(target, score, weights), group, 2000, seed=0)["auc"]
    assert np.sqrt(auc_parts(target, score, group).variance) == pytest.approx(replicates.std(), rel=0.06)


def test_the_variance_of_single_images_is_that_of_delong():
    # Components 1, 1, 0.5 of the positives and 0.5, 1 ... : a case small enough to count by hand.
    target, score = np.array([1, 1, 1, 0, 0]), np.array([5.0, 4.0, 2.0, 3.0, 1.0])
    components = np.array([1, 1, 0.5]), np.array([2 / 3, 1])
    expected = components[0].var(ddof=1) / 3 + components[1].var(ddof=1) / 2
    assert auc_parts(target, score, np.arange(5)).variance == pytest.approx(expected, abs=1e-12)


def test_groups_with_images_of_both_classes_are_allowed():
    target, score, _ = draw_sample(np.random.default_rng(2))
    mixed = np.random.default_rng(3).permutation(len(target)) // 2
    replicates = bootstrap(lambda weights: ranking_metrics(target, score, weights), mixed, 1000, seed=0)["auc"]
    assert np.sqrt(auc_parts(target, score, mixed).variance) == pytest.approx(replicates.std(), rel=0.08)


def test_the_interval_is_nowhere_narrower_than_that_of_newcombe():
    target, score, group = draw_sample(np.random.default_rng(4), auc=0.996)
    found = estimate_auc(target, score, group)
    low, high = newcombe_interval(found["value"], 450, 160)
    assert found["low"] <= low
    assert found["high"] >= high


def test_a_perfect_area_has_the_bound_of_the_smaller_classs_groups():
    target = np.repeat([0, 1], [40, 60])
    found = estimate_auc(target, target.astype(float), np.arange(100))
    assert found == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 40)), "high": 1.0}


def test_one_class_alone_has_no_area():
    assert estimate_auc(np.ones(4, int), np.arange(4.0), np.arange(4))["value"] is None
    assert auc_difference(np.ones(4, int), np.arange(4.0), np.arange(4.0), np.arange(4))["value"] is None


def test_one_group_of_a_class_leaves_the_area_without_bounds():
    target, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.2, 0.4])
    assert estimate_auc(target, score, np.array([0, 0, 1, 2])) == {"value": 0.75, "low": None, "high": None}
    found = auc_difference(target, score, -score, np.array([0, 0, 1, 2]))
    assert found == {"value": 0.5, "low": None, "high": None}


@pytest.mark.parametrize("ratio", [1.0, 2.5, 0.4])
@pytest.mark.parametrize("auc", [0.90, 0.98, 0.995, 0.998])
def test_the_interval_of_the_auc_covers_the_truth(auc, ratio):
    rng = np.random.default_rng(int(1000 * auc) + int(10 * ratio))
    found = [estimate_auc(*draw_sample(rng, auc, ratio)) for _ in range(600)]
    covered = np.mean([one["low"] <= auc <= one["high"] for one in found])
    above = np.mean([one["low"] > auc for one in found])
    assert covered >= (0.94 if ratio >= 1 else 0.93)  # with 160 groups of widely spread negatives a little less
    assert above <= 0.04


def test_equal_scores_differ_by_nothing():
    target, score, group = draw_sample(np.random.default_rng(5))
    assert auc_difference(target, score, score, group) == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_scores_that_rank_these_images_alike_may_rank_new_ones_otherwise():
    target, score = np.r_[0, 0, 1, 1, 1], np.r_[0.1, 0.3, 0.2, 0.4, 0.5]
    most = 1 - 0.025 ** (1 / 2)
    assert auc_difference(target, score, 3 * score + 1, np.arange(5)) == {"value": 0.0, "low": -most, "high": most}
    one_group = auc_difference(target, score, 3 * score + 1, np.r_[0, 0, 1, 2, 3])
    assert one_group == {"value": 0.0, "low": None, "high": None}


def test_the_interval_of_two_nearly_equal_rankings_of_few_groups_covers_the_truth():
    from scipy.stats import norm

    rng, covered = np.random.default_rng(9), 0
    target, middles = np.repeat([0, 1], 4), norm.ppf([0.95, 0.94]) * np.sqrt(2)
    for _ in range(200):
        noise = rng.normal(size=8)
        first, second = (middle * target + noise for middle in middles)
        found = auc_difference(target, first, second, np.arange(8))
        covered += found["low"] <= 0.01 <= found["high"]
    assert covered / 200 >= 0.93


def test_the_paired_interval_is_narrower_than_that_of_two_samples():
    rng = np.random.default_rng(6)
    target, score, group = draw_sample(rng)
    worse = score + 0.3 * rng.normal(size=len(score))
    found = auc_difference(target, score, worse, group)
    alone = estimate_auc(target, score, group)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["high"] - found["low"] < 0.6 * (alone["high"] - alone["low"])


@pytest.mark.parametrize("second", [lambda score, noise: score + 0.3 * noise, lambda score, noise: 3 * score + 1])
def test_a_smaller_tail_gives_a_wider_paired_interval(second):
    rng = np.random.default_rng(6)
    target, score, group = draw_sample(rng)
    other = second(score, rng.normal(size=len(score)))
    own, joint = (auc_difference(target, score, other, group, tail) for tail in (0.025, 0.025 / 9))
    assert joint["value"] == own["value"]
    assert joint["low"] < own["low"] <= own["high"] < joint["high"]


def test_two_perfect_areas_are_not_known_to_be_equal():
    target = np.repeat([0, 1], 30)
    found = auc_difference(target, target + np.arange(60) / 100, target - np.arange(60) / 100, np.arange(60))
    assert found["value"] == 0
    assert found["high"] == pytest.approx(1 - 0.025 ** (1 / 30))


@pytest.mark.parametrize(("first", "second"), [(0.9, 0.9), (0.998, 0.998), (0.995, 0.98)])
def test_the_paired_interval_covers_the_truth(first, second):
    from scipy.stats import norm

    rng, covered, shown = np.random.default_rng(8), 0, 0
    gap = (norm.ppf(first) - norm.ppf(second)) * np.sqrt(2)
    for _ in range(300):
        target, score, group = draw_sample(rng, first)
        both = score - norm.ppf(first) * np.sqrt(2) * target
        noise = np.sqrt(0.5) * both + np.sqrt(0.5) * rng.normal(size=len(score))
        found = auc_difference(target, score, (norm.ppf(first) * np.sqrt(2) - gap) * target + noise, group)
        covered += found["low"] <= first - second <= found["high"]
        shown += found["low"] > 0
    assert covered / 300 >= 0.93
    assert shown / 300 <= 0.045 if first == second else shown / 300 > 0.5


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
