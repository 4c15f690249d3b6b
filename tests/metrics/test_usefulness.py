import numpy as np
import pandas as pd
import pytest

from pneumonia.metrics.logistic import expit
from pneumonia.metrics.usefulness import (
    PREVALENCES,
    RISKS,
    bound_classes,
    measure_sets,
    net_benefit,
    of_thousand,
    tabulate_prevalences,
    tabulate_shifts,
    trace_decision_curve,
    trace_risk,
)
from pneumonia.pipelines.evaluation.figures import draw_abstention

DECISION = {"calibration": {"method": "logistic", "prevalence": 0.6}}


@pytest.fixture
def parameters(evaluation_parameters):
    return evaluation_parameters.model_copy(update={"prevalence": 0.1})


@pytest.fixture
def predictions():
    """200 negatives with 20 false alarms and 300 positives with 30 misses, certain and calibrated in the large."""
    target = np.repeat([0, 1], [200, 300])
    decision = np.r_[np.repeat([0, 1], [180, 20]), np.repeat([0, 1], [30, 270])]
    probability = np.where(decision == 1, 0.9, 0.1)
    return pd.DataFrame(
        {
            "split": "test",
            "target": target,
            "decision": decision,
            "probability": probability,
            "group": np.arange(500),
        }
    )


def test_a_probability_that_is_validations_prevalence_becomes_the_prevalence(parameters):
    half = {"calibration": {"method": "none", "prevalence": 0.5}}
    table = tabulate_shifts(half, parameters.model_copy(update={"prevalence": 0.07}))
    assert table["prevalence"].tolist() == [0.01, 0.02, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5]
    np.testing.assert_allclose(table["from_50"], table["prevalence"])
    assert table.set_index("prevalence").loc[0.1, "from_90"] == pytest.approx(0.5)  # odds 9 times 1 / 9


def test_net_benefit_of_the_worked_example():
    # At a risk of 20% four false alarms cost one hit: 0.1 x 0.9 - 0.9 x 0.1 / 4.
    target = np.repeat([0, 1], 10)
    called = np.repeat(np.r_[np.eye(10)[0], 1 - np.eye(10)[0]][:, None], len(RISKS), axis=1)
    curve = net_benefit(target, called, 0.1, np.ones((1, 20)))[0]
    assert curve[RISKS == 0.2] == pytest.approx(0.09 - 0.0225)


def test_calling_every_image_positive_is_worth_nothing_at_a_risk_of_the_prevalence(predictions, parameters):
    curve = trace_decision_curve(predictions, DECISION, parameters).set_index("risk")
    assert curve.loc[0.1, "treat_all"] == pytest.approx(0, abs=1e-12)
    assert curve.loc[0.01, "treat_all"] == pytest.approx(0.1 - 0.9 / 99)


def test_where_the_probabilities_say_what_was_decided_both_lines_are_one(predictions, parameters):
    curve = trace_decision_curve(predictions, DECISION, parameters).set_index("risk")
    # 0.9 and 0.1 at a prevalence of 0.6 are 0.4 and 0.008 at 0.1.
    between = curve.loc[0.01:0.39]
    np.testing.assert_allclose(between["net_benefit"], between["as_decided"])
    assert (curve.loc[0.41:, "net_benefit"] == 0).all()
    assert (between["low"] <= between["net_benefit"]).all()
    assert (between["net_benefit"] <= between["high"]).all()


def test_without_calibration_only_the_decisions_have_a_net_benefit(predictions, parameters):
    curve = trace_decision_curve(predictions, {"calibration": {"method": "none", "prevalence": 0.6}}, parameters)
    assert curve[["net_benefit", "low", "high"]].isna().all(axis=None)
    assert curve[["as_decided", "treat_all"]].notna().all(axis=None)


@pytest.fixture(scope="module")
def table():
    """Test has 50 positives, 45 of them found, and 100 negatives, 80 of them cleared; every image is its own group."""
    target = [1] * 50 + [0] * 100
    decision = [1] * 45 + [0] * 5 + [1] * 20 + [0] * 80
    rows = pd.DataFrame(
        {"target": target, "decision": decision, "group": [f"g{i}" for i in range(150)], "split": "test"}
    )
    return tabulate_prevalences(pd.concat([rows, rows.assign(split="val", decision=0)])).set_index("prevalence")


def test_predictive_values_follow_bayes_rule(table):
    row = table.loc[0.1]
    assert row["ppv"] == pytest.approx(0.9 * 0.1 / (0.9 * 0.1 + 0.2 * 0.9))
    assert row["npv"] == pytest.approx(0.8 * 0.9 / (0.8 * 0.9 + 0.1 * 0.1))
    assert row["ppv_low"] < row["ppv"] < row["ppv_high"]
    assert row["npv_low"] < row["npv"] < row["npv_high"]


def test_precision_rises_and_npv_falls_with_the_prevalence(table):
    assert table.index.tolist() == list(PREVALENCES)
    assert table["ppv"].is_monotonic_increasing
    assert table["npv"].is_monotonic_decreasing


def test_of_1000_images_each_has_one_fate(table):
    assert of_thousand(0.1, 0.94, 0.8) == {"found": 94, "missed": 6, "false_alarms": 180, "cleared": 720}
    assert (table[["found", "missed", "false_alarms", "cleared"]].sum(axis=1) == 1000).all()


def rows_of(split, target, probability, group=None):
    n = len(target)
    return pd.DataFrame(
        {
            "split": split,
            "group": np.arange(n) if group is None else group,
            "label": np.where(np.array(target) == 1, "PNEUMONIA", "NORMAL"),
            "target": target,
            "probability": probability,
            "decision": (np.array(probability) >= 0.5).astype(int),
        }
    )


def test_the_surest_images_are_those_farthest_from_the_threshold_in_log_odds():
    test = rows_of("test", [1, 1, 1, 0], [0.99, 0.7, 0.2, 0.45])
    rows = trace_risk(pd.concat([rows_of("val", [1], [0.1]), test]), {"threshold": 0.5})

    assert rows[["kept", "n", "errors"]].to_numpy().tolist() == [[1, 4, 1], [0.75, 3, 1], [0.5, 2, 1], [0.25, 1, 0]]
    assert rows["error"].tolist() == pytest.approx([1 / 4, 1 / 3, 1 / 2, 0])
    at_another = trace_risk(test, {"threshold": 0.8})
    assert at_another["errors"].tolist()[0] == 1  # of the decisions as they are
    assert at_another.iloc[-1][["n", "errors"]].tolist() == [1, 0]  # 0.99


def test_images_of_which_it_is_equally_sure_are_kept_together():
    rows = trace_risk(rows_of("test", [1] * 10, [0.9] * 9 + [0.6]), {"threshold": 0.5})
    assert rows["n"].tolist() == [10, 9]


def test_a_set_has_the_classes_that_validation_does_not_exclude():
    low, high = np.linspace(0.01, 0.40, 40), np.linspace(0.60, 0.99, 40)
    val = rows_of("val", [0] * 40 + [1] * 40, [*low, *high])
    test = rows_of("test", [0, 0, 1, 1], [0.30, 0.50, 0.62, 0.37])
    rows = measure_sets(pd.concat([val, test])).set_index("label")

    # Of 40 groups and a new one, 39 hold 95%: one image of each class lies beyond its bound.
    assert rows["bound"].tolist()[:2] == pytest.approx([0.39, 0.61])
    assert rows.loc["all", ["n", "one", "both", "neither", "n_decided", "errors"]].tolist() == [4, 0.75, 0, 0.25, 3, 1]
    assert rows["held"].tolist() == [0.5, 0.5, 0.5]


def test_the_figure_has_the_surest_images_and_those_with_one_class():
    val = rows_of("val", [0] * 40 + [1] * 40, [*np.linspace(0.01, 0.40, 40), *np.linspace(0.60, 0.99, 40)])
    test = rows_of("test", [0, 0, 1, 1], [0.30, 0.50, 0.62, 0.37])
    (axes,) = draw_abstention(trace_risk(test, {"threshold": 0.5}), measure_sets(pd.concat([val, test]))).axes
    surest, decided = axes.get_lines()
    assert surest.get_xdata().tolist() == [100, 75, 50, 25]
    assert (decided.get_xdata()[0], decided.get_ydata()[0]) == (75, pytest.approx(100 / 3))


def test_a_class_of_few_groups_is_never_excluded():
    few = rows_of("val", [0] * 40 + [1] * 18, [0.1] * 40 + [0.9] * 18)
    rows = measure_sets(pd.concat([few, rows_of("test", [0, 1], [0.05, 0.9])])).set_index("label")

    assert np.isnan(rows.loc["PNEUMONIA", "bound"])
    assert rows.loc["NORMAL", ["held", "both"]].tolist() == [1, 1]
    assert rows.loc["PNEUMONIA", ["held", "one"]].tolist() == [1, 1]


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_sets_lack_the_class_of_a_new_groups_image_in_one_of_twenty_cases_at_most(alike):
    """2,000 draws of 60 groups of 1 to 20 images, of which 30 positive, and of an image of a new one.

    Two standard errors are 0.010. Images that are not alike in a group are as many as if there were more groups, so
    that the bound, for which groups count, is on the safe side.
    """
    rng, draws, missed = np.random.default_rng(3), 2000, []
    for _ in range(draws):
        sizes = rng.integers(1, 21, 61)
        group = np.repeat(np.arange(61), sizes)
        noise = np.sqrt(alike) * rng.normal(size=61)[group] + np.sqrt(1 - alike) * rng.normal(size=len(group))
        target = (group % 2 == 0).astype(int)
        probability, is_known = expit(2 * target - 1 + noise), group < 60
        bounds = bound_classes(target[is_known], probability[is_known], group[is_known])
        missed.append(probability[~is_known][0] < bounds[1])  # group 60 is positive
    assert 0.01 < np.mean(missed) < 0.05 + 0.010
