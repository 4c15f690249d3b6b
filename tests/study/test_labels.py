import numpy as np
import pandas as pd
import pytest

from pneumonia.study.labels import (
    COUNT_COLUMNS,
    SCORE_COLUMNS,
    SUSPECT_COLUMNS,
    confident_class,
    count_label_errors,
    suspect_labels,
)


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
