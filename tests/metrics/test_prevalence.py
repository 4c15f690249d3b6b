import pandas as pd
import pytest

from pneumonia.metrics.prevalence import PREVALENCES, of_thousand, tabulate_prevalences


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
