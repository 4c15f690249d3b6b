import numpy as np
import pandas as pd
import pytest
from tests.tiny_network import register_tiny_network

from pneumonia.adaptation.measure import decide_new, fit_place_point, measure_adaptation, score_own
from pneumonia.adaptation.plan import check_adapted, make_adapted_lineage
from pneumonia.audits.known_images import list_known
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.intervals import plan_test
from pneumonia.model.lineage import adapted_to, manifest_digest
from pneumonia.model.networks import make_network
from pneumonia.predictor.describing import list_described

DECISION = {"weights_sha256": "abc", "threshold": 0.5, "calibration": {"method": "none"}}


@pytest.fixture(scope="module")
def parameters(default_parameters):
    return EvaluationParameters(**{**default_parameters["evaluation"], "resamples": 200})


@pytest.fixture
def scores():
    """Forty images of twenty groups in four folds: before a coin, after right but for every tenth."""
    target = np.repeat(np.arange(20) % 2, 2)
    wrong = np.arange(40) % 10 == 0
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "path": [f"there/{n}.png" for n in range(40)],
            "sha256": [f"{n:064d}" for n in range(40)],
            "group": [f"g{n // 2}" for n in range(40)],
            "label": np.where(target == 1, "PNEUMONIA", "NORMAL"),
            "target": target,
            "fold": np.arange(40) // 2 % 4 + 1,
            "before": rng.random(40),
            "after": np.where((target == 1) ^ wrong, 0.8, 0.2) + rng.random(40) / 100,
        }
    )


@pytest.fixture
def own():
    """Own test images, all of them right before; after, one of twenty is missed."""
    target = np.arange(20) % 2
    rows = pd.DataFrame(
        {
            "path": [f"own/{n}.png" for n in range(20)],
            "group": [f"o{n}" for n in range(20)],
            "target": target,
            "split": "test",
            "probability": np.where(target == 1, 0.9, 0.1),
        }
    )
    after = rows.assign(probability=rows["probability"].where(rows.index != 1, 0.3))
    decided = after.assign(decision=(after["probability"] >= 0.5) * 1)
    return rows, decided.sample(frac=1, random_state=1)


def test_before_and_after_are_measured_on_the_same_images_and_paired(scores, own, parameters):
    parent_scores, predictions = own
    found = measure_adaptation(scores, decide_new(scores, parameters), parent_scores, predictions, DECISION, parameters)
    new = found["new"]
    assert new["after"]["accuracy"]["value"] == pytest.approx(0.9)
    assert new["after"]["n"] == new["before"]["n"] == 40
    gain = new["difference"]["accuracy"]
    assert gain["value"] == pytest.approx(0.9 - new["before"]["accuracy"]["value"])
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    lost = found["own"]
    assert lost["before"]["sensitivity"]["value"] == 1
    assert lost["difference"]["sensitivity"]["value"] == pytest.approx(-0.1)
    most = 1 - 0.025**0.1  # of which none of ten groups is one
    assert lost["difference"]["specificity"] == {"value": 0.0, "low": -most, "high": most}
    assert lost["difference"]["auc"]["value"] == 0


def test_own_images_that_are_not_stored_are_not_measured(scores, parameters):
    decided = decide_new(scores, parameters)
    predictions = decided.assign(split="test")
    found = measure_adaptation(scores, decided, predictions, predictions, DECISION, parameters)
    assert found["own"] is None


def test_each_image_is_decided_by_what_was_fitted_on_the_other_folds(scores, parameters):
    decided = decide_new(scores, parameters)
    assert decided["path"].tolist() == scores["path"].tolist()
    lonely = scores.assign(after=scores["after"].where(scores["fold"] != 1, scores["after"] - 0.75))
    of_fold = decide_new(lonely, parameters)[scores["fold"] == 1]
    assert set(of_fold["decision"]) == {0}  # the threshold of the others is about a half


def test_held_out_images_alone_judge_the_adaptation(scores, parameters):
    held_out = scores.assign(fold=scores["fold"].replace(4, 0))
    decided = decide_new(held_out, parameters)
    assert decided["path"].tolist() == held_out.loc[held_out["fold"] == 0, "path"].tolist()


def test_the_places_point_is_named_and_belongs_to_the_model(scores, parameters):
    lineage = {"weights_sha256": "0123456789abcdef", "adaptation": {"place": "ward 3"}}
    point, kept = fit_place_point(scores, lineage, parameters)
    assert kept == {"ward-3-0123456789ab": point}
    assert point["fitted_on"]["n"] == 40
    assert 0.2 < point["threshold"] < 0.8


def test_the_next_test_is_planned_for_both_rates(scores, parameters):
    plan = plan_test(decide_new(scores, parameters))
    assert plan["rate"].tolist() == ["sensitivity"] * 4 + ["specificity"] * 4
    assert plan["width"].tolist() == [0.2, 0.15, 0.1, 0.05] * 2


@pytest.fixture
def lineage(tiny_manifest, tiny_store):
    return {
        "manifest_sha256": manifest_digest(tiny_manifest),
        "weights_sha256": "parent",
        "pixels": tiny_store.fingerprint,
        "image_size": 32,
        "resize": "squeeze",
        "etiologies": [],
        "versions": {"split_manifest": "m1", "class_weights": "w1", "pneumonia_model": "v1"},
        "training_key": "old",
    }


@pytest.fixture
def network():
    return make_network(register_tiny_network(), 32, seed=1)


def test_own_images_are_scored_and_where_they_are_not_stored_the_new_ones_take_their_part(
    network, lineage, scores, parameters, tiny_manifest, tiny_stores, other_stores
):
    found = score_own(network, tiny_manifest, tiny_stores, lineage, scores, parameters)
    assert found["split"].value_counts().to_dict() == {"val": 8, "test": 8}
    found = score_own(network, tiny_manifest, other_stores, lineage, scores, parameters)
    assert found["path"].tolist() == scores["path"].tolist() * 2
    assert found["split"].tolist() == ["val"] * 40 + ["test"] * 40
    assert found.loc[found["split"] == "val", "probability"].tolist() == scores["after"].tolist()


@pytest.fixture
def adapted_lineage(lineage, network, tiny_manifest, adaptation):
    new = tiny_manifest.iloc[:6].assign(place="there", split="new", fold=[1, 2, 3] * 2, perceptual_hash="ab", bits=0)
    own = tiny_manifest.iloc[6:].assign(place="own images", split="train", fold=0, perceptual_hash="", bits=0)
    context = {"run_id": "v2", "commit": "c", "versions": {"pneumonia_model": "v2", "parent_model": "v1"}}
    facts = {"training_key": "new", "hardware": {}, "kept_epochs": [2], "training": {"epochs": 2}}
    return make_adapted_lineage(lineage, network, pd.concat([own, new]), facts, context, adaptation())


def test_the_lineage_names_parent_place_and_images(adapted_lineage, lineage):
    adaptation = adapted_lineage["adaptation"]
    names = ("parent", "place", "n", "rehearsed")
    assert [adaptation[name] for name in names] == ["v1", "there", 6, 34]
    assert adapted_lineage["manifest_sha256"] == lineage["manifest_sha256"]
    assert adapted_lineage["versions"] == {
        "split_manifest": "m1", "class_weights": "w1", "pneumonia_model": "v2", "parent_model": "v1"
    }  # fmt: skip
    assert adapted_lineage["training_key"] == "new"
    assert adapted_lineage["weights_sha256"] != "parent"
    assert adapted_to(adapted_lineage)["split"].tolist() == ["val", "train", "train"] * 2
    assert adapted_to(lineage).empty


def test_a_second_adaptation_keeps_the_images_of_the_first(adapted_lineage, network, tiny_manifest, adaptation):
    new = tiny_manifest.iloc[6:8].assign(place="third", split="new", fold=2, perceptual_hash="")
    context = {"run_id": "v3", "commit": "c", "versions": {"parent_model": "v2"}}
    again = make_adapted_lineage(adapted_lineage, network, new, {}, context, adaptation())
    assert adapted_to(again)["place"].tolist() == ["there"] * 6 + ["third"] * 2


def test_images_of_the_place_are_known_to_the_model_and_describe_its_range(adapted_lineage, tiny_manifest, tiny_store):
    index = tiny_manifest.assign(perceptual_hash="")
    known = list_known(tiny_manifest, index, adapted_lineage)
    assert known.tail(6)[["split", "perceptual_hash"]].to_numpy().tolist() == [["train", "ab"]] * 6
    described = list_described(tiny_manifest, adapted_lineage, tiny_store)
    assert described["split"].value_counts().to_dict() == {"train": 28, "val": 10, "test": 8}


def test_a_lineage_of_another_model_does_not_mark_what_follows(adapted_lineage, network):
    assert check_adapted(network, adapted_lineage) == adapted_lineage
    with pytest.raises(UserError, match="model_lineage"):
        check_adapted(network, {**adapted_lineage, "weights_sha256": "other"})
