import re

import numpy as np
import pandas as pd
import pytest

from pneumonia.base.parameters import ReportParameters
from pneumonia.report.predictions import (
    choose_shown,
    count_outcomes,
    list_prediction_limits,
    sort_by_suspicion,
    write_prediction_report,
)

DECISION = {
    "threshold": 0.5,
    "rule": "fixed",
    "calibration": {"method": "logistic", "slope": 1.0},
    "fitted_on": {"n": 900},
}
CONTEXT = {
    "run_id": "2026-01-02T03.04.05.678Z",
    "environment": "local",
    "command": "kedro run --pipelines=prediction --params=images=new",
    "versions": {"pneumonia_model": "2026-01-01T00.00.00.000Z"},
    "commit": None,
    "hardware": {"cpu": "A processor", "cores": 2, "platform": "Linux"},
}
NONE_OWN = {"checked": True, "by_split": {}}
REPORT = ReportParameters(population="unknown", source="unknown")
LINEAGE = {"class_names": ["NORMAL", "PNEUMONIA"]}


def write_page(table, maps=(), decision=DECISION, report=REPORT, context=CONTEXT):
    return write_prediction_report(table, LINEAGE, decision, NONE_OWN, report, maps=list(maps), run_context=context)


def predictions(n_inside, n_outside=0, n_rejected=0):
    n = n_inside + n_outside + n_rejected
    probability = np.random.default_rng(0).random(n)
    in_range = ["yes"] * n_inside + ["no"] * n_outside + [""] * n_rejected
    table = pd.DataFrame(
        {
            "path": [f"ward/{index:05d}.jpeg" for index in range(n)],
            "sha256": [f"{index:064x}" for index in range(n)],
            "probability": probability,
            "decision": np.where(probability >= 0.5, "PNEUMONIA", "NORMAL"),
            "in_range": in_range,
            "reason": ["" if kind == "yes" else "why not" for kind in in_range],
            "model_version": "V",
        }
    )
    table.loc[table["in_range"] != "yes", "decision"] = ""
    table.loc[table["in_range"] == "", "probability"] = np.nan
    return table


def test_the_most_suspicious_images_come_first_then_what_is_not_judged_then_what_cannot_be_used():
    ordered = sort_by_suspicion(predictions(5, 3, 2).sample(frac=1, random_state=0))

    assert ordered["in_range"].tolist() == ["yes"] * 5 + ["no"] * 3 + [""] * 2
    assert ordered["probability"][:5].is_monotonic_decreasing
    assert ordered["probability"][5:8].is_monotonic_decreasing


def test_a_fifth_of_the_pictures_may_be_out_of_range():
    shown = choose_shown(predictions(100, 30, 1), 20)
    assert shown["in_range"].value_counts().to_dict() == {"yes": 16, "no": 4}
    assert choose_shown(predictions(100, 30), 0).empty
    assert len(choose_shown(predictions(0, 3), 20)) == 3


def test_every_file_is_in_one_count():
    table = predictions(10, 3, 2)
    called = int((table["decision"] == "PNEUMONIA").sum())
    assert count_outcomes(table, ["NORMAL", "PNEUMONIA"]) == {
        "all": 15,
        "PNEUMONIA": called,
        "NORMAL": 10 - called,
        "out of range": 3,
        "not usable": 2,
    }


@pytest.mark.parametrize(("n_outside", "is_doubted"), [(5, False), (6, True)])
def test_a_source_with_many_images_out_of_range_is_doubted(n_outside, is_doubted):
    counts = count_outcomes(predictions(100 - n_outside, n_outside), ["NORMAL", "PNEUMONIA"])
    limits = list_prediction_limits(counts, DECISION, "PNEUMONIA", NONE_OWN, "kedro run --pipelines=external")

    assert limits[0].startswith("Research software, not a medical device")
    assert any("may not suit this source" in limit for limit in limits) is is_doubted


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            {"checked": True, "by_split": {"train": 1200, "test": 1}},
            "1,201 of these images are, byte for byte, the model's own (1,200 of train, ",
        ),
        ({"checked": True, "by_split": {"test": 1}}, "1 of these images is, byte for byte, the model's own (1 of t"),
        ({"checked": True, "by_split": {}}, None),
        ({"checked": False, "by_split": {}}, "it was not checked whether some of these images are the model's own"),
    ],
)
def test_images_that_the_model_knows_are_counted(own, said):
    counts = count_outcomes(predictions(3), ["NORMAL", "PNEUMONIA"])
    told = " ".join(list_prediction_limits(counts, DECISION, "PNEUMONIA", own, "kedro run --pipelines=external"))
    assert ("the model's own (" in told or "not checked" in told) is (said is not None)
    assert said is None or said in told
    assert ("those of train and val" in told) is ("train" in own["by_split"])


@pytest.mark.parametrize(
    ("rule", "method", "said"),
    [
        (
            "fixed",
            "logistic",
            "the threshold was set beforehand and the calibration was fitted on 900 validation images",
        ),
        ("youden", "logistic", "calibration and threshold were fitted on 900 validation images"),
        ("fixed", "none", "of 0.500 or more; the threshold was set beforehand; the probability is not calibrated."),
        ("youden", "none", "the threshold was fitted on 900 validation images"),
    ],
)
def test_nothing_is_said_to_be_fitted_that_was_not(rule, method, said):
    decision = {**DECISION, "rule": rule, "calibration": {"method": method, "slope": 1.0}}
    table = predictions(1)
    record = {**table.iloc[0].to_dict(), "image": "data:,", "overlay": "data:,"}
    page = write_page(table, [record], decision)

    assert said in page
    assert ("calibrated on validation" in page) is (method != "none")


def test_a_probability_that_was_calibrated_at_a_place_is_not_said_to_be_calibrated_on_validation():
    rate = {"value": 0.8, "low": 0.7, "high": 0.9}
    on = {"n": 400, "n_groups": 300}
    decision = {**DECISION, "place": "north", "fitted_on": on, "sensitivity": rate, "specificity": rate}
    record = {**predictions(1).iloc[0].to_dict(), "image": "data:,", "overlay": "data:,"}
    page = write_page(predictions(1), [record], decision)
    assert "calibrated on validation" not in page
    assert "calibrated on labelled images of north. 1 of the images is shown" in page


@pytest.mark.parametrize(("slope", "is_warned"), [(0.0, True), (0.1, False)])
def test_decisions_by_a_calibration_that_gives_all_images_the_same_probability_are_advised_against(slope, is_warned):
    decision = {**DECISION, "calibration": {"method": "logistic", "slope": slope}}
    assert ("Do not use these decisions." in write_page(predictions(1), [], decision)) is is_warned


def test_the_page_of_5000_images_is_small_and_has_each_once():
    table = predictions(4900, 60, 40)
    picture = "data:image/webp;base64," + "A" * 12_000  # larger than those of a real run
    maps = [
        {**record, "image": picture, "overlay": picture if record["in_range"] == "yes" else ""}
        for record in choose_shown(table, 200).to_dict("records")
    ]
    page = write_page(table, maps)

    assert len(page.encode()) < 20e6
    assert page.count("<details") == 20  # 4,960 usable images, 250 per fold
    assert page.count("<details open") == 1
    cells = re.findall(r"<td>(ward/\d+\.jpeg)</td>", page)
    assert sorted(cells) == table["path"].tolist()
    assert page.index("not a medical device") < page.index("Most suspicious first") < page.index("All images</h2>")


def test_a_page_without_any_usable_image_says_so():
    page = write_page(predictions(0, 0, 2))
    assert "No image could be used" in page
    assert "why not" in page


def test_a_name_cannot_write_into_the_page():
    table = predictions(1).assign(path="<script>alert(1)</script>.jpeg")
    assert "<script" not in write_page(table)


@pytest.mark.parametrize("source", ["unknown", "kermany", "synthetic"])
def test_a_model_that_was_trained_on_drawn_images_is_called_that(source):
    report = ReportParameters(population="unknown", source=source)
    page = write_page(predictions(1), report=report)
    assert ("The training images are synthetic" in page) is (source == "synthetic")


def test_the_test_that_the_page_advises_is_in_the_environment_of_the_run():
    page = write_page(predictions(3), context={**CONTEXT, "environment": "demo"})
    assert "(kedro run --pipelines=external --env=demo)" in page


def test_a_probability_just_below_the_threshold_does_not_read_as_one_at_it():
    table = predictions(2).assign(probability=[0.4997, 0.7], decision=["NORMAL", "PNEUMONIA"])
    page = write_page(table, table.assign(image="", overlay="map").to_dict("records"))
    assert "<strong>49.97%</strong> PNEUMONIA · called NORMAL" in page
    assert '<td class="number">49.97%</td><td>NORMAL</td>' in page


def test_a_threshold_that_no_probability_reaches_is_not_said_to_be_reached():
    page = write_page(predictions(3), decision={**DECISION, "threshold": np.nextafter(1, 2)})
    assert "No image is called PNEUMONIA: the threshold is above every probability; " in page
    assert "or more;" not in page
