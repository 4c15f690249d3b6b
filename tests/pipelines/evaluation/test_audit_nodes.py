import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.corruption import KINDS, damage_images, measure_robustness
from pneumonia.audits.regions import Region, hide, hide_regions, measure_regions
from pneumonia.audits.shortcuts import FEATURE_SETS, Basis, describe_shortcuts
from pneumonia.metrics.decisions import make_decision
from pneumonia.model.scoring import score_images


@pytest.fixture(scope="module")
def tiny_scores(tiny_network, tiny_manifest, tiny_pixels, parameters):
    return score_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)


def test_every_image_of_the_manifest_is_described(tiny_manifest, tiny_store, tiny_pixels):
    features = describe_shortcuts(tiny_manifest, *tiny_pixels)
    assert features["path"].tolist() == tiny_manifest["path"].tolist()
    assert set(FEATURE_SETS[Basis.ALL]) <= set(features)
    first = tiny_store.read(tiny_store.rows(tiny_manifest["sha256"][:1]))
    assert features["brightness"].iloc[0] == pytest.approx(first.mean() / 255, abs=1e-6)
    assert not features.isna().any(axis=None)


def test_each_view_has_the_auc_of_the_images_as_they_are_then(
    tiny_network, tiny_manifest, tiny_store, tiny_pixels, tiny_scores, parameters
):
    hidden = hide_regions(tiny_network, tiny_manifest, *tiny_pixels, parameters)
    audit = measure_regions(hidden, tiny_scores)
    test = tiny_manifest[tiny_manifest["split"] == "test"]
    images = tiny_store.read(tiny_store.rows(test["sha256"]))
    assert audit["predictor"].tolist() == [Region.WHOLE, Region.CENTRE_HIDDEN, Region.BORDER_HIDDEN]
    for row, shown in zip(
        audit.itertuples(),
        (images, hide(images, 0.6, Region.CENTRE_HIDDEN), hide(images, 0.6, Region.BORDER_HIDDEN)),
        strict=True,
    ):
        expected = roc_auc_score(test["target"], tiny_network.predict(shown, verbose=0)[:, 0])
        assert row.auc == pytest.approx(expected)
        assert row.n == len(test)


def test_each_kind_of_damage_is_measured_at_three_strengths(
    tiny_network, tiny_manifest, tiny_pixels, tiny_scores, parameters
):
    decision = make_decision(tiny_scores, {}, parameters)
    damaged = damage_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)
    table = measure_robustness(damaged, tiny_scores, decision)
    assert list(zip(table["kind"], table["strength"], strict=True)) == [
        ("none", 0),
        *((kind, strength) for kind in KINDS for strength in (1, 2, 3)),
    ]
    assert table["auc"].iloc[0] == 1
    assert (table["n"] == 8).all()
    assert table["auc"].between(0, 1).all()


def test_images_that_are_alike_are_damaged_differently_though_they_are_read_in_parts(
    tiny_network, tiny_manifest, tiny_pixels, parameters, monkeypatch
):
    alike = tiny_manifest.head(1).loc[[0] * 8].assign(split="test")
    whole = damage_images(tiny_network, alike, *tiny_pixels, parameters)
    monkeypatch.setattr("pneumonia.model.predict.PART", 3)
    in_parts = damage_images(tiny_network, alike, *tiny_pixels, parameters)

    assert whole.loc[whole["kind"] == "noise", "probability"].nunique() == 3 * 8
    assert in_parts["probability"].to_numpy() == pytest.approx(whole["probability"].to_numpy(), abs=1e-6)


def test_robustness_that_is_switched_off_is_not_measured(
    tiny_network, tiny_manifest, tiny_pixels, tiny_scores, parameters
):
    off = parameters.model_copy(update={"robustness": False})
    table = measure_robustness(damage_images(tiny_network, tiny_manifest, *tiny_pixels, off), tiny_scores, {})
    assert table.empty
    assert "auc" in table
