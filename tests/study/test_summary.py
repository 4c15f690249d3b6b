import numpy as np
import pandas as pd
import pytest

from pneumonia.study.summary import (
    COUNT_COLUMNS,
    SCORE_COLUMNS,
    SUSPECT_COLUMNS,
    confident_class,
    count_label_errors,
    measures_of,
    summarise_study,
    suspect_labels,
)


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


def manifest():
    """Twenty train images of each class, alternating, and two of test."""
    target = np.arange(42) % 2
    return pd.DataFrame(
        {
            "path": [f"{number:02d}.png" for number in range(42)],
            "sha256": [f"{number:064x}" for number in range(42)],
            "label": np.where(target == 1, "PNEUMONIA", "NORMAL"),
            "target": target,
            "group": [f"g{number}" for number in range(42)],
            "split": ["train"] * 40 + ["test"] * 2,
        }
    )


def scores(wrong=(4, 7)):
    """Two seeds of two recipes; the first is sure, and contradicts the labels of two images."""
    rows = []
    for recipe, shift in (("base", 0.0), ("other", 0.4)):
        for seed in (0, 1):
            for number, row in enumerate(manifest().itertuples()):
                told = 0.1 + 0.8 * row.target + 0.01 * seed
                told = 1 - told if number in wrong else told
                rows.append((recipe, seed, 1 + number % 2, row.sha256, abs(told - shift)))
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def test_labels_that_held_out_predictions_contradict_are_listed_the_surest_first():
    listed, counts = suspect_labels(scores(), manifest())

    assert list(listed.columns) == SUSPECT_COLUMNS
    assert listed[["path", "label", "likelier"]].to_numpy().tolist() == [
        ["07.png", "PNEUMONIA", "NORMAL"],
        ["04.png", "NORMAL", "PNEUMONIA"],
    ]
    assert listed["probability"].tolist() == [0.905, 0.895]
    assert listed["trainings"].tolist() == [2, 2]  # of the first recipe alone
    assert list(counts.columns) == ["label", *COUNT_COLUMNS]
    assert counts[["label", "n", "suspected"]].to_numpy().tolist() == [["NORMAL", 20, 1], ["PNEUMONIA", 20, 1]]
    assert (counts["low"] < counts["expected"]).all()


def test_without_scores_of_both_classes_there_is_nothing_to_say():
    one_class = scores()[scores()["sha256"].isin(manifest().loc[manifest()["target"] == 1, "sha256"])]
    for given in (scores()[:0], one_class):
        assert all(table.empty for table in suspect_labels(given, manifest()))


def test_networks_that_are_no_better_than_chance_contradict_no_label():
    of = scores(wrong=range(0, 42, 2)).assign(probability=lambda table: 1 - table["probability"])
    for probability in (of["probability"], np.random.default_rng(0).random(len(of)), 0.5):
        listed, counts = suspect_labels(of.assign(probability=probability), manifest())
        assert listed.empty
        assert counts.empty


def test_images_are_counted_as_in_the_worked_example():
    # The mean probability of class 1 is 0.7 among those labelled 1; that of class 0 is 0.6 among those labelled 0.
    target = np.array([1, 1, 1, 0, 0, 0])
    probability = np.array([0.9, 0.85, 0.35, 0.2, 0.3, 0.71])
    assert confident_class(target, probability).tolist() == [1, 1, 0, 0, 0, 1]


def test_an_image_that_is_confident_of_nothing_is_not_counted():
    target, probability = np.array([1, 1, 0, 0, 0]), np.array([0.95, 0.85, 0.05, 0.05, 0.5])
    assert confident_class(target, probability).tolist() == [1, -1, 0, 0, -1]


def test_flipped_labels_are_found_and_their_number_is_within_its_interval():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 3000)
    probability = 1 / (1 + np.exp(-(5 * (truth - 0.5) + rng.normal(size=3000))))
    flipped = (truth == 1) & (rng.random(3000) < 0.06)
    target = np.where(flipped, 0, truth)
    table = count_label_errors(target, probability, np.arange(3000)).set_index("target")
    assert table.loc[0, "low"] < flipped.sum() < table.loc[0, "high"]
    assert table.loc[0, "expected"] == pytest.approx(flipped.sum(), rel=0.2)
    suspected = (confident_class(target, probability) == 1) & (target == 0)
    assert table.loc[0, "suspected"] == suspected.sum() > 50
    assert flipped[suspected].mean() > 0.95
    assert table.loc[1, "expected"] < 0.02 * table.loc[1, "n"]
    assert table["n"].sum() == 3000
