import numpy as np
import pandas as pd
import pytest

from pneumonia.metrics.usefulness import (
    PREVALENCES,
    RISKS,
    net_benefit,
    of_thousand,
    tabulate_prevalences,
    tabulate_shifts,
    trace_decision_curve,
)

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
