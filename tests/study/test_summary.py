import numpy as np
import pandas as pd
import pytest

from pneumonia.study.summary import measures_of, summarise_study


def results(**values):
    """Results of recipes, each with one AUC for every seed and fold: `[[fold 1: seed 0, seed 1], [fold 2 ...]]`."""
    rows = [
        {"recipe": recipe, "fold": fold, "seed": seed, "untouched_auc": auc, "cpu_seconds": 10.0}
        for recipe, by_fold in values.items()
        for fold, aucs in enumerate(by_fold, 1)
        for seed, auc in enumerate(aucs)
    ]
    return pd.DataFrame(rows)


def rows_of(table):
    return {row["recipe"]: row for row in table.to_dict("records")}


def test_mean_and_spread_between_seeds_and_between_folds():
    (row,) = summarise_study(results(base=[[0.90, 0.92], [0.96, 0.98]])).to_dict("records")

    assert row["n"] == 4
    assert row["mean"] == pytest.approx(0.94)
    assert row["sd_seeds"] == pytest.approx(np.sqrt(0.0002))  # of two values 0.02 apart
    assert row["sd_folds"] == pytest.approx(np.sqrt(0.0018))  # of 0.91 and 0.97
    assert row["verdict"] == "base"
    assert row["cpu_seconds"] == 10


def test_the_interval_of_one_split_is_students_over_seeds():
    table = rows_of(summarise_study(results(base=[[0.90, 0.91, 0.92]], other=[[0.91, 0.93, 0.93]])))

    # Differences .01, .02, .01: mean .01333, s .0057735; t(.975, 2) = 4.302653.
    half = 4.302653 * 0.0057735 / np.sqrt(3)
    assert table["other"]["difference"] == pytest.approx(0.0133333, abs=1e-6)
    assert table["other"]["low"] == pytest.approx(0.0133333 - half, abs=1e-6)
    assert table["other"]["high"] == pytest.approx(0.0133333 + half, abs=1e-6)
    assert table["other"]["verdict"] == "cannot be told apart"


def test_folds_widen_the_interval_since_their_training_images_overlap():
    table = rows_of(summarise_study(results(base=[[0.90], [0.91], [0.92]], other=[[0.91], [0.93], [0.93]])))

    half = 4.302653 * 0.0057735 * np.sqrt(1 / 3 + 1 / 2)
    assert table["other"]["high"] == pytest.approx(0.0133333 + half, abs=1e-6)


@pytest.mark.parametrize(("by", "verdict"), [(0.02, "better"), (-0.02, "worse")])
def test_a_difference_that_every_seed_shows_is_told(by, verdict):
    base = [0.90, 0.91, 0.92]
    other = [value + by + noise for value, noise in zip(base, (0.0, 0.001, 0.0), strict=True)]

    assert rows_of(summarise_study(results(base=[base], other=[other])))["other"]["verdict"] == verdict


def test_two_pairs_are_too_few_for_a_verdict():
    row = rows_of(summarise_study(results(base=[[0.90, 0.91]], other=[[0.98, 0.99]])))["other"]

    assert row["verdict"] == "too few pairs"
    assert np.isnan(row["low"])


def test_the_same_difference_in_every_pair_is_no_evidence_of_precision():
    base, other = [[38 / 40] * 3], [[39 / 40] * 3]
    row = rows_of(summarise_study(results(base=base, other=other)))["other"]

    assert row["difference"] == pytest.approx(1 / 40)
    assert row["verdict"] == "cannot be told apart"
    assert np.isnan(row["low"])


def test_measures_come_in_the_order_in_which_they_judge():
    table = pd.DataFrame(columns=["both_auc", "external_auc", "untouched_specificity", "untouched_auc", "seconds"])
    assert measures_of(table) == ["untouched_auc", "untouched_specificity", "both_auc", "external_auc"]
