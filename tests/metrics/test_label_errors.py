import numpy as np
import pytest

from pneumonia.study.labels import confident_class, count_label_errors


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
