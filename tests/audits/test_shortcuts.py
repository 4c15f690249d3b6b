import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.shortcuts import (
    FEATURE_SETS,
    THIRDS,
    Basis,
    Sample,
    audit_shortcuts,
    best_shortcut,
    can_be_crossed,
    cross_validated_scores,
    file_features,
    held_out_scores,
    pixel_features,
    thirds_of,
)
from pneumonia.metrics.auc import auc_difference, estimate_auc


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


WHO = ["path", "group", "target", "split"]


@pytest.fixture(scope="module")
def features():
    """A width that hints at the class, and constants; groups of two images."""
    rng = np.random.default_rng(0)
    n = 300
    target = np.arange(n) // 2 % 2
    table = pd.DataFrame(0.0, index=range(n), columns=FEATURE_SETS[Basis.ALL])
    split = np.repeat(["train", "val", "test"], [140, 60, 100])
    who = {"path": [f"{row}.png" for row in range(n)], "group": np.arange(n) // 2, "target": target, "split": split}
    return table.assign(log_width=rng.normal(size=n) + target, **who)


@pytest.fixture(scope="module")
def scores(features):
    judged = features[features["split"] != "train"]
    noise = np.random.default_rng(1).normal(size=len(judged))
    return judged[WHO].assign(probability=1 / (1 + np.exp(-noise - 4 * (judged["target"] - 0.5))))


@pytest.fixture(scope="module")
def rims(features):
    judged = features[features["split"] != "train"]
    noise = np.random.default_rng(2).normal(size=len(judged))
    return judged[WHO].assign(probability=1 / (1 + np.exp(-noise - 2 * judged["target"])))


def test_each_shortcut_stands_beside_the_network(features, rims, scores, evaluation_parameters):
    audit = audit_shortcuts(features, rims, scores, evaluation_parameters)
    assert audit["predictor"].drop_duplicates().tolist() == [
        name for name in Basis if name not in (Basis.RIM, Basis.SITE)
    ]
    by = audit.set_index(["predictor", "images"])
    assert by.loc[(Basis.SHAPE, Sample.TEST), "low"] > 0.6  # the width hints at the class
    assert by.loc[(Basis.MODE, Sample.TEST), "auc"] == 0.5  # always the same
    assert (audit.loc[audit["images"] == Sample.CROSS_VALIDATED, "n"] == 200).all()
    assert by.loc[(Basis.RIM_NETWORK, Sample.VAL), ["n", "n_positive"]].tolist() == [60, 30]


def test_the_lead_of_the_network_is_paired(features, rims, scores, evaluation_parameters):
    audit = audit_shortcuts(features, rims.sample(frac=1, random_state=0), scores, evaluation_parameters)
    row = audit.set_index(["predictor", "images"]).loc[(Basis.RIM_NETWORK, Sample.TEST)]
    is_test = (scores["split"] == "test").to_numpy()
    columns = (scores["target"], scores["probability"], rims["probability"], scores["group"])
    expected = auc_difference(*(column.to_numpy()[is_test] for column in columns))
    found = row[["behind_network", "behind_network_low", "behind_network_high"]].tolist()
    assert found == pytest.approx(list(expected.values()))


def test_the_network_is_measured_within_thirds_of_the_best_shortcut(features, rims, scores, evaluation_parameters):
    audit = audit_shortcuts(features, rims, scores, evaluation_parameters)
    assert best_shortcut(audit) == Basis.RIM_NETWORK
    test, rim = (table[table["split"] == "test"] for table in (scores, rims))
    third = thirds_of(rim["probability"].to_numpy(), rim["target"].to_numpy())
    for number, images in enumerate(THIRDS):
        part = test[third == number]
        row = audit[(audit["images"] == images) & (audit["predictor"] == Basis.NETWORK)].iloc[0]
        auc = estimate_auc(*(part[name].to_numpy() for name in ("target", "probability", "group")))
        assert (row["n"], row["auc"]) == (len(part), pytest.approx(auc["value"]))


def test_the_labels_of_test_do_not_change_what_the_properties_score(features, rims, scores, evaluation_parameters):
    flipped = [table.assign(target=_flip_test(table)) for table in (features, rims, scores)]
    one, other = (
        audit_shortcuts(features, rims, scores, evaluation_parameters),
        audit_shortcuts(*flipped, evaluation_parameters),
    )
    crossed = one["images"] == Sample.CROSS_VALIDATED
    np.testing.assert_array_equal(one.loc[crossed, "auc"], other.loc[crossed, "auc"])
    on_test = (one["images"] == Sample.TEST) & (one["predictor"] != Basis.NETWORK)
    np.testing.assert_allclose(one.loc[on_test, "auc"], 1 - other.loc[on_test, "auc"])


def _flip_test(table):
    return table["target"].where(table["split"] != "test", 1 - table["target"])


def test_without_a_rim_network_the_others_are_audited(features, rims, scores, evaluation_parameters):
    audit = audit_shortcuts(features, rims[:0], scores, evaluation_parameters)
    assert Basis.RIM_NETWORK not in set(audit["predictor"])
    assert best_shortcut(audit) in FEATURE_SETS


def test_one_image_a_class_and_split_is_not_cross_validated(features, rims, scores, evaluation_parameters):
    def first(table):
        return table.groupby(["split", "target"]).head(1)

    audit = audit_shortcuts(first(features), rims[:0], first(scores), evaluation_parameters)
    assert Sample.CROSS_VALIDATED not in set(audit["images"])
    on_test = audit[audit["images"] == Sample.TEST]
    assert on_test["n"].tolist() == [2] * (len(FEATURE_SETS) + 1)
    assert on_test["low"].isna().all()


def test_thirds_weigh_both_classes_alike_and_keep_equal_scores_together():
    # Two of eight are negatives: each weighs three times as much as a positive.
    score, target = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.7]), np.array([0, 0, 1, 1, 1, 1, 1, 1])
    assert thirds_of(score, target).tolist() == [0, 1, 1, 1, 2, 2, 2, 2]
    assert thirds_of(np.ones(4), np.array([0, 1, 0, 1])).tolist() == [1, 1, 1, 1]
