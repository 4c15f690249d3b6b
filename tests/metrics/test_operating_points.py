import numpy as np
import pandas as pd
import pytest
from kedro.io import CatalogConfigResolver, DataCatalog

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.datasets import RecordDataset
from pneumonia.datasets.services import load_records
from pneumonia.images.sites import Sites
from pneumonia.images.source import ImageSource
from pneumonia.metrics.calibration import apply_calibration
from pneumonia.metrics.decisions import make_decision
from pneumonia.metrics.operating_points import (
    choose_operating_point,
    cross_decide,
    file_name,
    fit_operating_point,
    halve_groups,
    name_place,
)

WRONG = [
    *({"threshold": 7}, {"threshold": "0.5"}, {"place": 3}, {"weights_sha256": None}, {"fitted_on": None}),
    *({"rule_value": "0.9"}, {"sensitivity": {}}, {"specificity": {"value": 90, "low": 0.8, "high": 0.9}}),
    *({"fitted_on": {"n": 0, "n_groups": 1, "n_positive": 1}}, {"calibration": {"method": "mine", "prevalence": 0.5}}),
]


@pytest.fixture
def parameters(default_parameters):
    return EvaluationParameters.model_validate(default_parameters["evaluation"])


@pytest.fixture
def scores():
    """Scores far from a half: the classes are parted at about 0.9."""
    probability = [0.80, 0.82, 0.84, 0.86, 0.88, 0.95, 0.92, 0.93, 0.96, 0.98, 0.99, 0.97]
    return pd.DataFrame(
        {
            "target": [0] * 6 + [1] * 6,
            "probability": probability,
            "group": [f"g{n}" for n in range(12)],
            "fold": [1, 2] * 6,
        }
    )


@pytest.mark.parametrize(
    ("place", "source", "name"),
    [
        ("auto", ImageSource("/images/Bethesda"), "Bethesda"),
        ("auto", ImageSource("/images/Bethesda/"), "Bethesda"),
        ("auto", ImageSource("Bethesda.zip"), "Bethesda"),
        ("auto", Sites({"north": ImageSource("/images/1.zip"), "south": ImageSource("/images/2")}), "north+south"),
        ("ward 3", ImageSource("/images/Bethesda"), "ward 3"),
        ("auto", ImageSource("/images/2024, east"), "2024- east"),
    ],
)
def test_a_place_is_named_by_the_user_or_after_its_images(place, source, name):
    assert name_place(place, source.name) == name


def test_a_places_threshold_is_fitted_on_its_images_although_the_models_own_is_set(scores, parameters):
    point = fit_operating_point(scores, "there", "abc", parameters)
    assert parameters.threshold_rule == "fixed"
    assert (point["rule"], point["place"], point["weights_sha256"]) == ("youden", "there", "abc")
    # Between the calibrated 0.88 and 0.92.
    low, high = apply_calibration(np.array([0.88, 0.92]), point["calibration"])
    assert point["threshold"] == pytest.approx((low + high) / 2)
    assert point["fitted_on"] == {"place": "there", "n": 12, "n_groups": 12, "n_positive": 6}


def test_what_the_fit_is_worth_is_measured_on_the_other_folds(scores, parameters):
    point = fit_operating_point(scores, "there", "abc", parameters)
    decided = cross_decide(scores, parameters.model_copy(update={"threshold_rule": "youden"}))
    right = decided["decision"] == decided["target"]
    assert decided.index.tolist() == scores.index.tolist()
    assert point["sensitivity"]["value"] == pytest.approx(right[scores["target"] == 1].mean())
    assert point["specificity"]["value"] == pytest.approx(right[scores["target"] == 0].mean())
    assert point["specificity"]["low"] < point["specificity"]["value"] < point["specificity"]["high"]


def test_the_models_own_decision_is_used_unless_a_place_is_named():
    decision = {"weights_sha256": "abc", "threshold": 0.5}
    there = {"weights_sha256": "abc", "place": "there", "threshold": 0.9, "calibration": {"method": "none"}}
    points = {"there-abc": there, "other-def": {"weights_sha256": "def", "place": "other", "threshold": 0.1}}
    assert choose_operating_point(decision, points, "none") is decision
    assert choose_operating_point(decision, points, "there") is there


def test_a_copy_of_an_operating_point_under_another_name_does_not_count():
    there = {"weights_sha256": "abc", "place": "there", "threshold": 0.9, "calibration": {"method": "none"}}
    points = {"there-abc": there, "there-abc (copy)": {**there, "threshold": 0.1}}
    assert choose_operating_point({"weights_sha256": "abc"}, points, "there") is there


def test_a_calibration_that_gives_every_image_the_same_probability_is_refused():
    there = {"weights_sha256": "abc", "place": "there", "calibration": {"method": "logistic", "slope": 0.0}}
    with pytest.raises(UserError, match="'there' gives every image the same probability"):
        choose_operating_point({"weights_sha256": "abc"}, {"there-abc": there}, "there")


def test_a_place_for_which_nothing_was_fitted_is_refused():
    known = [{"weights_sha256": "def", "place": "other"}, {"weights_sha256": "abc", "place": "there"}]
    points = {file_name(point): point for point in known}
    with pytest.raises(UserError, match=r"'other' and this model; there is: there\."):
        choose_operating_point({"weights_sha256": "abc"}, points, "other")


@pytest.mark.parametrize(
    "change",
    WRONG,
)
def test_an_operating_point_of_another_layout_is_named(tmp_path, scores, parameters, change):
    def load():
        return load_records(str(tmp_path), "pneumonia.metrics.decision_contracts.PointContract")

    point = fit_operating_point(scores, "there", "abc", parameters)
    dataset = RecordDataset(filepath=str(tmp_path / "there-abc.json"))
    dataset.save(point)
    assert load() == {"there-abc": point}

    dataset.save({**point, **change})
    with pytest.raises(
        UserError, match=rf"^{tmp_path}/there-abc\.json: The operating point .*{next(iter(change))}.*again"
    ):
        load()


@pytest.fixture
def saved_record(tmp_path, catalog_entries):
    """Save a record as what the catalog names, and load it as a run does."""

    def load(name, record):
        config = CatalogConfigResolver(catalog_entries).resolve_pattern(name)
        catalog = DataCatalog.from_config({name: {**config, "filepath": str(tmp_path / name), "versioned": False}})
        catalog.get(name).save(record)
        return catalog.load(name)

    return load


@pytest.mark.parametrize("name", ["chosen_decision", "adaptation_point", "external_point"])
@pytest.mark.parametrize("change", WRONG)
def test_the_point_that_a_run_fitted_or_chose_has_its_layout(saved_record, scores, parameters, name, change):
    point = fit_operating_point(scores, "there", "abc", parameters)
    assert saved_record(name, point) == point
    with pytest.raises(Exception, match=rf"is not what this release writes \({next(iter(change))}.*again"):
        saved_record(name, {**point, **change})


def test_the_models_own_decision_is_chosen_as_it_was_made(saved_record, scores, parameters):
    own = make_decision(scores.assign(split="val"), {"weights_sha256": "abc"}, parameters)
    assert saved_record("chosen_decision", own) == own
    with pytest.raises(Exception, match=r"The record chosen_decision is not .* \(fitted_on.n: Field required\)"):
        saved_record("chosen_decision", {**own, "fitted_on": {}})


def test_an_external_test_that_fitted_nothing_leaves_an_empty_record(saved_record):
    assert saved_record("external_point", {}) == {}


def test_a_files_name_holds_no_character_that_a_path_could_mean():
    assert file_name({"place": "../ward 3/é", "weights_sha256": "0123456789abcdef"}) == "..-ward-3-é-0123456789ab"
    names = {file_name({"place": place, "weights_sha256": "0123456789abcdef"}) for place in ("서울", "부산")}
    assert len(names) == 2


def test_each_group_is_in_one_half():
    groups = pd.DataFrame({"group": np.repeat([f"g{n}" for n in range(7)], 3)})
    halves = halve_groups(groups, seed=0)
    assert halves.groupby(groups["group"]).nunique().max() == 1
    assert groups.groupby(halves)["group"].nunique().to_dict() == {1: 3, 2: 4}
