import pytest

from pneumonia.report.limits import DEMO_NOTE, NOT_COUNTED, list_limits
from pneumonia.split.summary import FlowStep


@pytest.fixture
def limits_of(material, restate):
    """List the limits of a run with other statements or other data."""

    def list_them(flow=None, ingest=None, scorings=None, weights="none", **stated):
        record = restate(material["run_record"], **stated)
        record["model"] = {**record["model"], "model": {**record["model"]["model"], "weights": weights}}
        parameters = {**record["parameters"], "ingest": {**record["parameters"]["ingest"], **(ingest or {})}}
        data = {**record["data"], "test_scorings": scorings or {"most": 1, "median": 1.0}}
        flow = material["data_flow"] if flow is None else flow
        record = {**record, "parameters": parameters, "data": data}
        return list_limits({**material, "run_record": record, "data_flow": flow})

    return list_them


def test_the_limits_begin_with_what_this_software_is_not(limits_of):
    limits = limits_of()
    assert limits[0].startswith("Research software, not a medical device.")
    assert any("0.95" in limit and "0.54" in limit for limit in limits)
    assert any(limit.startswith("Validation figures are optimistic") for limit in limits)
    assert any("case-control" in limit for limit in limits)


def test_limits_of_synthetic_images_claim_nothing_about_patients(limits_of):
    limits = limits_of(source="synthetic")
    assert DEMO_NOTE in limits
    assert not any("hospital" in limit or "Groups stand for" in limit for limit in limits)


@pytest.mark.parametrize(
    ("population", "said"),
    [("unknown", "report.population was not set"), ("adults in intensive care", "adults in intensive care")],
)
def test_the_population_is_repeated_as_it_was_stated_or_said_not_to_be(limits_of, population, said):
    limits = limits_of(source="unknown", population=population)
    assert any(said in limit for limit in limits)
    assert not any("child" in limit for limit in limits)


def test_images_without_a_group_are_a_limit(limits_of, material):
    flow = material["data_flow"].copy()
    flow.loc[flow["step"] == FlowStep.UNGROUPED, "images"] = 77
    assert any("77 images" in limit for limit in limits_of(flow))
    assert not any("77 images" in limit for limit in limits_of())


def test_a_split_by_image_is_a_limit(limits_of):
    limits = limits_of(ingest={"group_by": "image"})
    assert any(limit.startswith("Images were split individually") for limit in limits)


def test_how_often_the_test_images_were_scored_is_said(limits_of):
    assert any(limit.startswith("The ledger of this project knows of no earlier run") for limit in limits_of())
    limits = limits_of(scorings={"most": 7, "median": 4.0})
    assert any("7 runs (median 4)" in limit and NOT_COUNTED in limit for limit in limits)


@pytest.mark.parametrize(("weights", "is_said"), [("none", False), ("imagenet", False), ("other/model.keras", True)])
def test_a_training_that_started_from_another_model_is_a_limit(limits_of, weights, is_said):
    said = [limit for limit in limits_of(weights=weights) if "started from another model" in limit]
    assert bool(said) == is_said
