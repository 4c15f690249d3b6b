import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.shortcuts import (
    FEATURE_SETS,
    Predictor,
    cross_validated_scores,
    file_features,
    held_out_scores,
    pixel_features,
)


def test_a_file_is_described_by_size_aspect_bytes_and_mode():
    files = pd.DataFrame({"width": [100, 200], "height": [100, 100], "bytes": [1000, 2000], "mode": ["L", "RGB"]})
    features = file_features(files)
    np.testing.assert_allclose(features["log_aspect"], [0, np.log(2)])
    np.testing.assert_allclose(features["log_bytes"], np.log([1000, 2000]))
    assert features["stored_colour"].tolist() == [0, 1]


def test_pixels_are_described_by_their_mean_and_borders():
    image = np.zeros((1, 50, 50, 1), np.uint8)
    image[0, :3] = 255  # the upper 6%
    features = pixel_features(image).iloc[0]
    assert features["brightness"] == pytest.approx(0.06)
    assert features["top"] == 1
    assert features["top_spread"] == 0
    assert features["bottom"] == 0
    assert features["left"] == pytest.approx(0.06)


def test_every_feature_set_is_made_of_the_columns_that_are_computed():
    files = pd.DataFrame({"width": [9], "height": [9], "bytes": [9], "mode": ["L"]})
    columns = {*file_features(files), *pixel_features(np.zeros((1, 9, 9, 1), np.uint8))}
    assert columns == set(FEATURE_SETS[Predictor.ALL])


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    target = np.arange(300) % 2
    return rng.normal(size=300) + 1.5 * target, target, np.arange(300) // 3


def test_a_telling_feature_is_found_out(labelled):
    feature, target, groups = labelled
    scores = cross_validated_scores(feature[:, None], target, groups, seed=0)
    assert roc_auc_score(target, scores) == pytest.approx(0.856, abs=0.05)


def test_a_row_is_scored_by_a_fit_that_saw_none_of_its_group():
    # Each group has a value of its own; learned by heart it would tell the class.
    rng = np.random.default_rng(1)
    target = np.repeat(rng.permutation(np.arange(60) % 2), 5)
    groups = np.repeat(np.arange(60), 5)
    by_heart = np.eye(60)[groups]
    scores = cross_validated_scores(by_heart, target, groups, seed=0)
    assert roc_auc_score(target, scores) < 0.6


def test_unseen_rows_are_scored_by_a_fit_on_the_others(labelled):
    feature, target, _ = labelled
    scores = held_out_scores(feature[:, None], target, np.array([[-5.0], [5.0]]))
    assert scores[0] < 0.01
    assert scores[1] > 0.99
