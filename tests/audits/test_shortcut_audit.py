import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.shortcut_audit import THIRDS, Sample, audit_shortcuts, best_shortcut, thirds_of
from pneumonia.audits.shortcuts import FEATURE_SETS, Basis
from pneumonia.metrics.auc import auc_difference, estimate_auc

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
