import numpy as np
import pandas as pd
import pytest

from pneumonia.base.parameters import ReportParameters
from pneumonia.base.places import AdaptationParameters
from pneumonia.metrics.intervals import plan_images
from pneumonia.pipelines.adaptation.figures import draw_change, draw_curve
from pneumonia.report.adaptation import (
    count_further,
    list_adaptation_findings,
    tabulate_change,
    tabulate_curve,
    write_adaptation_report,
)

LINEAGE = {"class_names": ["NORMAL", "PNEUMONIA"], "adaptation": {"rehearsed": 400, "place": "north"}}


def estimate(value, half_width=0.02):
    return {"value": value, "low": value - half_width, "high": value + half_width}


def record(before, after, change=None, half_width=0.02, width=0.02):
    names = ("auc", "accuracy", "sensitivity", "specificity")
    measured = {
        when: dict.fromkeys(names, estimate(value, half_width))
        | {"calibration_slope": estimate(1.0), "calibration_in_the_large": estimate(0.0), "n": 400, "n_groups": 300}
        for when, value in (("before", before), ("after", after))
    }
    change = after - before if change is None else change
    return {**measured, "difference": dict.fromkeys(names, estimate(change, width))}


def shortcuts(network, best, lead):
    return pd.DataFrame(
        {
            "predictor": ["network", "rim"],
            "images": "external",
            "auc": [network, best],
            "low": [network - 0.03, best - 0.03],
            "high": [network + 0.03, best + 0.03],
            "behind_network": [None, network - best],
            "behind_network_low": [None, lead],
            "behind_network_high": [None, network - best + 0.05],
        }
    )


def levels(new, own, lineage=LINEAGE, lead=0.05):
    found = list_adaptation_findings({"new": new, "own": own}, shortcuts(0.86, 0.75, lead), lineage)
    return {finding["title"]: finding["level"] for finding in found}


def test_a_gain_without_loss_is_said_with_the_shortcut_beside_it():
    found = levels(record(0.45, 0.86), record(0.99, 0.99, width=0.005))
    assert next(iter(found)) == "Shortcuts also distinguish the classes"  # the gravest first
    assert {title for title, level in found.items() if level != "good"} == {"Shortcuts also distinguish the classes"}
    assert {
        "Better on the new place than before",
        "Better than chance",
        "On its own images at most 0.01 worse than before",
        "Enough images of the new place for a narrow interval",
    } < set(found)


@pytest.mark.parametrize(
    ("own", "title", "level"),
    [
        (record(0.99, 0.97, width=0.005), "Worse on its own images than before", "bad"),
        (record(0.99, 0.985, width=0.004), "Worse on its own images than before", "caution"),
        (record(0.99, 0.99, width=0.02), "A loss of more than 0.01 on its own images is not excluded", "caution"),
        (None, "What the model forgot is not known", "bad"),
    ],
)
def test_what_was_forgotten_is_said_as_far_as_the_interval_allows(own, title, level):
    assert levels(record(0.45, 0.86), own)[title] == level


@pytest.mark.parametrize(
    ("change", "title"),
    [(0.01, "Not shown to be better on the new place than before"), (-0.1, "Worse on the new place than before")],
)
def test_no_gain_is_a_point_against_it(change, title):
    assert levels(record(0.8, 0.8, change), None)[title] == "bad"


def test_a_shortcut_that_is_as_good_is_a_grave_point():
    assert levels(record(0.45, 0.86), None, lead=-0.01)["Not shown to be better than a shortcut"] == "bad"


def test_no_rehearsal_is_a_grave_point():
    lineage = {**LINEAGE, "adaptation": {"rehearsed": 0, "place": "north"}}
    assert levels(record(0.45, 0.86), None, lineage)["No own image was rehearsed"] == "bad"


def test_few_images_are_said():
    assert levels(record(0.45, 0.86, half_width=0.05), None)["Few images of the new place"] == "caution"


@pytest.mark.parametrize(("width", "further"), [(0.0401, 0), (0.0201, 1185), (0.1, 0)])
def test_half_the_width_takes_four_times_the_images(width, further):
    assert count_further(record(0.4, 0.8)["after"], width) == further


def test_without_an_interval_nothing_is_planned():
    after = {"n": 4, "auc": {"value": 0.5, "low": None, "high": None}}
    assert count_further(after, 0.05) is None


def test_the_change_is_told_for_the_new_place_first():
    table = tabulate_change({"new": record(0.45, 0.86), "own": None})
    assert table["images"].tolist() == ["new place"] * 4
    assert table.iloc[0].tolist() == [
        "new place", "AUC", "0.450 (0.430 to 0.470)", "0.860 (0.840 to 0.880)", "0.410 (0.390 to 0.430)"
    ]  # fmt: skip


@pytest.fixture
def curve():
    """Two draws, whose ends differ by four groups."""
    return pd.DataFrame(
        {
            "network": ["before", "short", "short", "adapted"] * 2,
            "draw": [1, 1, 1, 1, 2, 2, 2, 2],
            "fold": [1, 1, 1, 1, 2, 2, 2, 2],
            "groups": [0, 25, 100, 100, 0, 25, 104, 104],
            "images": [0, 30, 150, 150, 0, 34, 154, 154],
            "auc": [0.4, 0.6, 0.8, 0.85, 0.5, 0.7, 0.9, 0.95],
        }
    )


def test_the_ends_of_the_curve_are_one_point_although_folds_differ_in_size(curve):
    table = tabulate_curve(curve)
    assert table["network"].tolist() == ["before", "short training", "short training", "adapted as the model was"]
    assert table["groups"].tolist() == [0, 25, 102, 102]
    assert table["mean_AUC"].tolist() == pytest.approx([0.45, 0.65, 0.85, 0.9])
    assert table["highest"].tolist() == [0.5, 0.7, 0.9, 0.95]


def test_the_line_of_the_curve_joins_the_means_of_the_draws(curve):
    before, dots, line, adapted = draw_curve(curve).axes[0].lines
    assert before.get_ydata() == pytest.approx([0.45, 0.45])
    assert len(dots.get_xdata()) == 4
    assert adapted.get_xydata().tolist() == [[100, 0.85], [104, 0.95]]
    assert line.get_xdata().tolist() == [25, 102]
    assert line.get_ydata().tolist() == pytest.approx([0.65, 0.85])


@pytest.mark.parametrize("own", [None, record(0.99, 0.98)])
def test_the_change_is_drawn_for_each_place_that_was_measured(own):
    figure = draw_change({"new": record(0.45, 0.86), "own": own})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["new place", "own test"][: 1 if own is None else 2]
    assert figure.axes[0].lines[1].get_xdata()[0] == 0.45


@pytest.fixture
def write_page(curve, default_parameters):
    """Write the page of an adaptation; some of what it is made from can be changed."""

    def write(own=None, curve=curve, slope=1.2, half_width=0.02, source="unknown", environment="local", **adaptation):
        target = np.arange(20) % 2
        metrics = {"new": record(0.45, 0.86, half_width=half_width), "own": own}
        for each in filter(None, metrics.values()):
            each["after"]["n_positive"] = 200
        return write_adaptation_report(
            AdaptationParameters(**default_parameters["adaptation"]),
            ReportParameters(population="unknown", source=source),
            external_index=pd.DataFrame({"status": ["ok"] * 3 + ["duplicate"]}),
            adaptation_plan=pd.DataFrame({"split": ["train"] * 5 + ["new"] * 3}),
            adaptation_metrics=metrics,
            adaptation_curve=curve,
            adaptation_shortcuts=shortcuts(0.86, 0.75, 0.05),
            adaptation_planning=plan_images(target, target, target.astype(str)),
            adaptation_point={
                "threshold": 0.4,
                "rule": "youden",
                "rule_value": None,
                "calibration": {"method": "logistic", "slope": slope},
                "fitted_on": {"n": 400, "n_groups": 300, "n_positive": 200},
                "sensitivity": estimate(0.8),
                "specificity": estimate(0.7),
            },
            adaptation_curve_figure=b"png",
            adaptation_change_figure=b"png",
            model_lineage={**LINEAGE, "adaptation": {"rehearsed": 5, "place": "ward3", "parent": "v1", **adaptation}},
            run_context={
                "run_id": "v2",
                "environment": environment,
                "command": "kedro run",
                "commit": "c",
                "versions": {},
            },
        )

    return write


@pytest.mark.parametrize("own", [None, record(0.99, 0.98)])
@pytest.mark.parametrize("with_curve", [True, False])
def test_the_page_says_what_changed_and_how_to_use_the_places_point(own, with_curve, curve, write_page):
    html = write_page(own=own, curve=curve if with_curve else curve.iloc[:0])
    assert "kedro run --pipelines=prediction --params=images=PATH,prediction.place=ward3</pre>" in html
    assert "The rim of a thumbnail" in html
    assert ("Not drawn" in html) is not with_curve
    assert ("Each sees 3,584 images in one pass, all of the new place" in html) is with_curve
    assert ("The model saw 36,000, 96% of them own." in html) is with_curve
    assert ("is not known" in html) is (own is None)


def test_the_name_of_a_place_is_quoted_for_the_shell(write_page):
    assert "prediction &#39;--params=images=PATH,prediction.place=ward 3&#39;</pre>" in write_page(place="ward 3")


@pytest.mark.parametrize(
    ("rehearsed", "said"),
    [
        (0, "No own training image was rehearsed."),
        (1, "1 own training image was rehearsed."),
        (5, "5 own training images were rehearsed."),
    ],
)
def test_own_images_are_said_to_be_rehearsed_only_if_they_were(write_page, rehearsed, said):
    page = write_page(rehearsed=rehearsed)
    assert said in page
    assert ("No own image was rehearsed" in page) is (rehearsed == 0)


@pytest.mark.parametrize(
    ("half_width", "said"),
    [
        (0.02, "These images suffice for a 95% interval of the AUC that is 0.05 wide."),
        (0.02503, "about 1 more labelled image like these"),
        (0.05, " more labelled images like these"),
    ],
)
def test_more_images_are_asked_for_only_where_there_are_too_few(write_page, half_width, said):
    assert said in write_page(half_width=half_width)


def test_a_point_at_which_all_images_have_the_same_probability_is_not_to_be_used(write_page):
    page = write_page(slope=0.0)
    assert "Do not use them: the network ranks these images no better than chance" in page
    assert "prediction.place" not in page


@pytest.mark.parametrize("source", ["unknown", "synthetic"])
def test_a_model_that_was_trained_on_drawn_images_is_called_that(write_page, source):
    assert ("The training images are synthetic" in write_page(source=source)) is (source == "synthetic")


def test_the_commands_of_the_page_are_for_the_environment_of_the_run(write_page):
    page = write_page(environment="demo")
    assert "kedro run --pipelines=prediction --params=images=PATH,prediction.place=ward3 --env=demo" in page
    assert "(kedro run --pipelines=external --env=demo)" in page
    assert "--env" not in write_page()
