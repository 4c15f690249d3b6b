import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.shortcuts import (
    FEATURE_SETS,
    Basis,
    can_be_crossed,
    cross_validated_scores,
    file_features,
    held_out_scores,
    pixel_features,
)


def test_a_file_is_described_by_size_aspect_bytes_and_mode():
    modes = ["L", "RGB", "I;16", "MONOCHROME2", "P"]
    files = pd.DataFrame({"width": [100, 200, 9, 9, 9], "height": [100, 100, 9, 9, 9], "bytes": 1000, "mode": modes})
    features = file_features(files)
    np.testing.assert_allclose(features["log_aspect"], [0, np.log(2), 0, 0, 0])
    np.testing.assert_allclose(features["log_bytes"], np.log(1000))
    assert features["stored_colour"].tolist() == [0, 1, 0, 0, 1]


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
    assert columns == set(FEATURE_SETS[Basis.ALL])


def test_sharpness_is_the_variance_of_the_laplacian_and_none_of_one_grey():
    stripes = np.zeros((2, 20, 20, 1), np.uint8)
    stripes[0, :, ::2] = 10  # inside, the Laplacian is 20 or -20
    features = pixel_features(stripes)
    assert features["log_sharpness"].tolist() == pytest.approx([np.log1p(400), 0])


def test_grey_levels_are_described_by_their_percentiles():
    ramp = np.arange(101, dtype=np.uint8).repeat(101).reshape(1, 101, 101, 1)
    features = pixel_features(ramp).iloc[0]
    assert [features[f"percentile_{percent}"] * 255 for percent in (1, 50, 99)] == pytest.approx([1, 50, 99])


@pytest.fixture
def labelled():
    """A width that hints at the class, and groups of three."""
    rng = np.random.default_rng(0)
    target = np.arange(300) % 2
    table = pd.DataFrame(0.0, index=range(300), columns=FEATURE_SETS[Basis.ALL])
    return table.assign(log_width=rng.normal(size=300) + 1.5 * target, target=target, group=np.arange(300) // 3)


@pytest.mark.parametrize("name", [Basis.SHAPE, Basis.ALL_BOOSTED])
def test_a_telling_feature_is_found_out(labelled, name):
    scores = cross_validated_scores(name, labelled, seed=0)
    assert roc_auc_score(labelled["target"], scores) == pytest.approx(0.83, abs=0.07)


def test_trees_see_what_no_sum_of_properties_tells(labelled):
    rng = np.random.default_rng(2)
    width, height = rng.normal(size=(2, 300))
    crossed = labelled.assign(log_width=width, log_height=height, target=(width * height > 0).astype(int))
    linear, boosted = (
        roc_auc_score(crossed["target"], cross_validated_scores(name, crossed, seed=0))
        for name in (Basis.ALL, Basis.ALL_BOOSTED)
    )
    assert linear < 0.6
    assert boosted > 0.9


@pytest.mark.parametrize("name", [Basis.SHAPE, Basis.ALL_BOOSTED])
def test_a_row_is_scored_by_a_fit_that_saw_none_of_its_group(labelled, name):
    # Each group has a width of its own, which would tell the class if it were learned by heart.
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(60), 5)
    by_heart = labelled.assign(log_width=rng.permutation(60)[group], group=group, target=rng.permutation(60)[group] % 2)
    assert roc_auc_score(by_heart["target"], cross_validated_scores(name, by_heart, seed=0)) < 0.65


def test_unseen_rows_are_scored_by_a_fit_on_the_others(labelled):
    unseen = labelled[:2].assign(log_width=[-5.0, 5.0])
    scores = held_out_scores(Basis.SHAPE, labelled, unseen, seed=0)
    assert scores[0] < 0.01
    assert scores[1] > 0.99


def test_every_class_needs_a_group_for_each_fold(labelled):
    assert can_be_crossed(labelled)
    assert not can_be_crossed(labelled.assign(target=(labelled["group"] < 4).astype(int)))
    assert not can_be_crossed(labelled[:0])
