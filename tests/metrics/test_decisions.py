import numpy as np
import pytest

from pneumonia.metrics.decisions import choose_threshold, compare_rules, threshold_candidates

PROBABILITY = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
TARGET = np.array([0, 0, 1, 0, 1, 0, 1, 1])


def choose(evaluation_parameters, **changes):
    parameters = evaluation_parameters.model_copy(update=changes)
    return choose_threshold(PROBABILITY, TARGET, parameters)


def test_candidates_lie_between_the_scores_and_beyond_both_ends():
    table = threshold_candidates(np.array([0.2, 0.2, 0.6]), np.array([0, 1, 1]))
    np.testing.assert_allclose(table["threshold"], [0, 0.4, 1.0])
    np.testing.assert_array_equal(table["sensitivity"], [1, 0.5, 0])
    np.testing.assert_array_equal(table["specificity"], [0, 1, 1])
    np.testing.assert_array_equal(table["misses"], [0, 1, 2])
    np.testing.assert_array_equal(table["false_alarms"], [1, 0, 0])


def test_the_last_candidate_calls_even_a_certain_image_negative():
    table = threshold_candidates(np.array([0.5, 1.0]), np.array([0, 1]))
    assert table["threshold"][-1] > 1
    assert table["sensitivity"][-1] == 0


@pytest.mark.parametrize(
    ("rule", "changes", "threshold", "value"),
    [
        ("fixed", {"fixed_threshold": 0.35}, 0.35, 0.35),
        ("youden", {}, 0.5, None),  # 3 of 4 and 3 of 4
        ("sensitivity_floor", {"sensitivity_floor": 0.75}, 0.5, 0.75),
        ("sensitivity_floor", {"sensitivity_floor": 0.99}, 0.25, 0.99),
        ("specificity_floor", {"specificity_floor": 0.75}, 0.5, 0.75),
        ("specificity_floor", {"specificity_floor": 0.99}, 0.75, 0.99),
        ("cost_ratio", {"cost_ratio": 10.0}, 0.25, 10.0),
        ("cost_ratio", {"cost_ratio": 0.1}, 0.75, 0.1),
    ],
)
def test_each_rule_chooses_the_threshold_of_the_worked_example(evaluation_parameters, rule, changes, threshold, value):
    chosen = choose(evaluation_parameters, threshold_rule=rule, **changes)
    assert chosen == {"threshold": pytest.approx(threshold), "rule": rule, "rule_value": value}


def test_a_floor_is_met_by_the_rate_that_rounding_puts_just_below_it(evaluation_parameters):
    # 93 of 100 positives lie above 0.5, and 1 - 7 / 100 is less than 0.93.
    probability = np.r_[np.full(7, 0.1), np.full(93, 0.9), 0.2]
    target = np.r_[np.ones(100, int), 0]
    changes = {"threshold_rule": "sensitivity_floor", "sensitivity_floor": 0.93}
    parameters = evaluation_parameters.model_copy(update=changes)
    assert choose_threshold(probability, target, parameters)["threshold"] == pytest.approx(0.55)


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken(evaluation_parameters):
    parameters = evaluation_parameters.model_copy(update={"threshold_rule": "youden"})
    # Below 0.2 and above 0.7 the sum of sensitivity and specificity is the same, 1.5.
    chosen = choose_threshold(np.array([0.1, 0.2, 0.7, 0.9]), np.array([0, 1, 0, 1]), parameters)
    assert chosen["threshold"] == pytest.approx(0.8)


def test_all_rules_are_compared_on_one_sample(evaluation_parameters):
    rows = compare_rules(PROBABILITY, TARGET, evaluation_parameters)
    by_rule = {row["rule"]: row for row in rows}
    assert list(by_rule) == ["fixed", "youden", "sensitivity_floor", "specificity_floor", "cost_ratio"]
    assert by_rule["youden"]["sensitivity"] == by_rule["youden"]["specificity"] == 0.75
    assert by_rule["sensitivity_floor"]["sensitivity"] >= 0.95
    assert by_rule["specificity_floor"]["specificity"] >= 0.9
