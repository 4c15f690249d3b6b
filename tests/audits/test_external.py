import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumonia.audits.external import (
    fit_external_point,
    index_external,
    measure_external,
    predict_external,
    recalibrate,
)
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import (
    EvaluationParameters,
    ExternalParameters,
    IngestParameters,
    LabelsParameters,
    PredictionParameters,
)
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.metrics.intervals import plan_test
from pneumonia.metrics.summary import split_metrics

DECISION = {
    "threshold": 0.5,
    "calibration": {"method": "none"},
}


ORIGIN = {"place": "north", "shared": {"images": 0, "groups": 0}}


@pytest.fixture(scope="module")
def parameters(default_parameters):
    return EvaluationParameters(**{**default_parameters["evaluation"], "resamples": 200})


@pytest.fixture(scope="module")
def predictions():
    """400 images of 200 groups; the logit is the class with noise, and two units too high."""
    rng = np.random.default_rng(0)
    target = np.repeat(rng.integers(0, 2, 200), 2)
    probability = 1 / (1 + np.exp(-(3 * (target - 0.5) + rng.normal(size=400) + 2)))
    return pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(400)],
            "group": np.repeat([f"{group:04d}" for group in range(200)], 2),
            "label": np.where(target == 1, "PNEUMONIA", "NORMAL"),
            "target": target,
            "probability": probability,
            "own_probability": probability,
            "decision": (probability >= 0.5).astype(int),
            "in_range": ["yes", "yes", "yes", "no"] * 100,
            "model_version": "v1",
        }
    )


def test_images_of_an_unusual_size_that_were_indexed_are_judged(tmp_path, default_parameters, trained_model):
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / label).mkdir()
        Image.effect_noise((28, 28), 50).save(tmp_path / label / "a.png")
    ingest, labels, given = groups(default_parameters, min_side=28)
    source = ImageSource(str(tmp_path))
    index = index_external(source, IndexCache(tmp_path / "cache"), ingest, labels, given)

    prediction = PredictionParameters(**default_parameters["prediction"])
    judged = predict_external(source, index, ingest, prediction, **trained_model)
    assert judged[["label", "target", "in_range"]].to_numpy().tolist() == [
        ["NORMAL", 0, "yes"],
        ["PNEUMONIA", 1, "yes"],
    ]
    assert judged["decision"].tolist() == (judged["probability"] >= 0.5).astype(int).tolist()


def groups(default_parameters, **changes):
    """The groups of parameters by which images are indexed."""
    ingest = IngestParameters(**{**default_parameters["ingest"], **changes})
    return ingest, LabelsParameters(**default_parameters["labels"]), external(default_parameters)


def external(default_parameters, **changes):
    return ExternalParameters(**{**default_parameters["external"], **changes})


def test_the_metrics_are_those_of_all_images_and_of_those_in_range(predictions, parameters, default_parameters):
    given = external(default_parameters)
    measured = measure_external(predictions, DECISION, parameters, given, ORIGIN)

    assert {name: measured[name] for name in ORIGIN} == ORIGIN
    assert measured["external"]["n"] == 400
    assert measured["external"]["n_groups"] == 200
    assert measured["in_range"]["n"] == 300
    assert measured["out_of_range"] == 0.25
    assert measured["recalibrated"] is None
    assert measured["model_version"] == "v1"
    assert set(measured["external"]["auc"]) == {"value", "low", "high"}


def test_swapped_labels_mirror_the_auc(predictions, parameters, default_parameters):
    swapped, given = predictions.assign(target=1 - predictions["target"]), external(default_parameters)
    one, other = (
        measure_external(rows, DECISION, parameters, given, ORIGIN)["external"]["auc"]["value"]
        for rows in (predictions, swapped)
    )
    assert one == pytest.approx(1 - other)
    assert one > 0.9


def test_a_recalibration_is_measured_on_the_half_of_the_groups_that_it_was_not_fitted_on(predictions, parameters):
    before, after = predictions.assign(split="external"), recalibrate(predictions, parameters)
    was = split_metrics(before, "external", 0.5, parameters)

    assert after["n"] == 400
    assert after["brier"]["value"] < was["brier"]["value"]
    assert after["specificity"]["value"] > was["specificity"]["value"]


@pytest.mark.parametrize(
    "given",
    [{}, {"threshold_rule": "sensitivity_floor", "sensitivity_floor": 0.99}, {"calibration": "isotonic"}],
    ids=lambda given: "-".join(given) or "default",
)
def test_a_recalibration_is_measured_as_the_point_that_is_kept(predictions, parameters, default_parameters, given):
    parameters = parameters.model_copy(update=given)
    recalibrated = recalibrate(predictions, parameters)
    asked = external(default_parameters, recalibrate=True)
    point, _ = fit_external_point(predictions, ORIGIN, {**DECISION, "weights_sha256": "0123"}, parameters, asked)

    for rate in ("sensitivity", "specificity"):
        assert recalibrated[rate] == pytest.approx(point[rate])


def test_halves_of_one_class_are_refused(predictions, parameters):
    few = predictions.drop_duplicates("target")
    with pytest.raises(UserError, match="needs both classes in each half"):
        recalibrate(few, parameters)


def test_groups_are_read_from_the_names_of_nih_and_labels_from_the_folders(tmp_path, tiny_images, default_parameters):
    contents = list(tiny_images.values())
    for number, name in enumerate(("NORMAL/00001281_000", "NORMAL/00001281_001", "PNEUMONIA/00001299_000")):
        path = tmp_path / "other" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[number])
    source, cache = ImageSource(str(tmp_path / "other")), IndexCache(tmp_path / "cache")

    index = index_external(source, cache, *groups(default_parameters))

    assert index["group"].tolist() == ["00001281", "00001281", "00001299"]
    assert index["label"].tolist() == ["NORMAL", "NORMAL", "PNEUMONIA"]


def test_images_without_labels_are_refused(tmp_path, tiny_images, default_parameters):
    (tmp_path / "some").mkdir()
    (tmp_path / "some/a.png").write_bytes(next(iter(tiny_images.values())))
    with pytest.raises(UserError, match="An external test needs labels"):
        index_external(ImageSource(str(tmp_path)), IndexCache(tmp_path / "c"), *groups(default_parameters))


def test_a_point_of_the_place_is_fitted_only_if_it_is_asked_for(predictions, parameters, default_parameters):
    decision = {**DECISION, "weights_sha256": "0123456789abcdef"}
    given = ExternalParameters(**{**default_parameters["external"], "recalibrate": True})
    point, kept = fit_external_point(predictions, ORIGIN, decision, parameters, given)
    assert kept == {"north-0123456789ab": point}
    assert point["fitted_on"]["n"] == 400
    assert point["calibration"]["intercept"] < -1  # the logits are two units too high
    asked_for_nothing = given.model_copy(update={"recalibrate": False})
    assert fit_external_point(predictions, ORIGIN, decision, parameters, asked_for_nothing) == ({}, {})


def test_the_next_test_is_planned_with_the_design_effect_of_the_groups(predictions):
    plan = plan_test(predictions).set_index(["rate", "width"])
    assert plan.loc[("sensitivity", 0.2), "n"] == predictions["target"].sum()
    assert (plan["design_effect"] >= 1).all()
