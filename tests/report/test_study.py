import html

import numpy as np
import pandas as pd
import pytest
from tests.study.conftest import changed, plan_of

from pneumonia.base.parameters import InputsParameters, ReportParameters
from pneumonia.base.study_parameters import StudyParameters
from pneumonia.report.study import (
    draw_study,
    draw_suspects,
    list_study_findings,
    tabulate_differences,
    tabulate_means,
    write_study_report,
)
from pneumonia.study.summary import summarise_study


def results(by):
    """Three seeds of a base and of another recipe, whose AUC on cut images is larger by `by`."""
    base = [0.90, 0.91, 0.92]
    rows = [
        {
            "recipe": recipe, "seed": seed, "fold": 1, "untouched_auc": 0.99, "negatives_cut_auc": auc + extra,
            "seconds": 60.0, "cpu_seconds": 90.0, "device": "CPU",
        }
        for recipe, extra in (("base", 0.0), ("<b>other</b>", by))
        for seed, auc in enumerate(base)
    ]  # fmt: skip
    rows[-1]["negatives_cut_auc"] += 0.001
    return pd.DataFrame(rows)


def compared(by):
    table = summarise_study(results(by))
    return table[table["verdict"] != "base"]


@pytest.mark.parametrize(("by", "level", "said"), [(0.05, "good", "better"), (-0.05, "bad", "worse")])
def test_a_recipe_that_can_be_told_apart_is_named_with_its_interval(by, level, said):
    (found,) = list_study_findings(compared(by))

    assert found["level"] == level
    assert found["title"] == f"<b>other</b> is {said} in 1 of 2 measures"
    assert found["text"].startswith(f"Negatives cut: AUC {by + 0.001 / 3:+.4f} (")


def test_a_recipe_that_cannot_be_told_apart_is_called_that():
    (found,) = list_study_findings(compared(0.0))
    assert (found["level"], found["title"]) == ("caution", "<b>other</b> cannot be distinguished from the base")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.iloc[[0, 1, 3, 4]], "Too few pairs for an interval."),
        (lambda table: table.assign(negatives_cut_auc=0.9), "Every pair of trainings has the same results."),
        (
            lambda table: table.assign(negatives_cut_auc=np.where(table["recipe"] == "base", 0.9, 0.8)),
            "All pairs of trainings differ by the same, so there is no interval.",
        ),
        (lambda table: table, "No interval excludes zero."),
    ],
)
def test_where_no_interval_was_made_none_is_spoken_of(change, said):
    table = summarise_study(change(results(0.0)))
    (found,) = list_study_findings(table[table["verdict"] != "base"])
    assert found["text"] == said


def test_the_axes_of_the_figure_do_not_go_beyond_what_rates_can_be():
    figure = draw_study(results(0.0).assign(untouched_specificity=1.0, negatives_cut_specificity=0.0))
    ends = [end for axes in figure.axes for end in axes.get_xlim()]
    assert len(ends) == 8
    assert (min(ends), max(ends)) == (0, 1)


def test_the_tables_of_the_page():
    means = tabulate_means(summarise_study(results(0.05)))
    assert list(means.columns) == ["measure", "base", "<b>other</b>"]
    assert dict(zip(means["measure"], means["base"], strict=True)) == {
        "Trainings": "3",
        "CPU minutes per training": "1.5",
        "All as they are: AUC": "0.9900 ± 0.0000",
        "Negatives cut: AUC": "0.9100 ± 0.0100",
    }
    differences = tabulate_differences(compared(0.05))
    assert list(differences["difference"]) == ["+0.0000", "+0.0503"]
    assert list(differences["verdict"]) == ["cannot be told apart", "better"]


RECIPES = [{"name": "base", "changes": {}}, {"name": "<b>other</b>", "changes": {"training.epochs": 7}}]


@pytest.fixture(scope="module")
def write_page(default_parameters):
    """Write the page on a study of two recipes."""

    def write(table, external="none", source="unknown", folds=1, training=None, **counted):
        report = ReportParameters(population="unknown", source=source)
        context = {"run_id": "now", "environment": "base", "versions": {}, "command": "kedro run", "commit": None}
        given = StudyParameters(recipes=RECIPES, seeds=[0, 1, 2], folds=folds, external=external)
        suspects = [{"path": "a.png", "label": "NORMAL", "likelier": "PNEUMONIA", "probability": 0.97, "trainings": 2}]
        errors = [{"label": "NORMAL", "n": 900, "suspected": 1, "expected": 3.4, "low": 1.2, "high": 9.9, **counted}]
        labels = {
            "suspected_labels": pd.DataFrame(suspects).assign(group="g", sha256="0"),
            "label_errors": pd.DataFrame(errors),
            "suspect_gallery": [row | {"image": "data:image/webp;base64,AAAA"} for row in suspects],
        }
        shown = {**labels, "study_figure": b"png", "run_context": context}
        study = {"recipes": RECIPES, "seeds": [0, 1, 2], "folds": folds}
        plan = plan_of(changed(default_parameters, {"study": study, "training": training or {}}))
        return write_study_report(plan, table, summarise_study(table), given, report, **shown)

    return write


def test_a_difference_has_a_sign_only_where_it_has_one():
    rows = compared(0.05).iloc[[0, 0]].assign(difference=[-0.00001, np.nan])
    assert tabulate_differences(rows)["difference"].tolist() == ["+0.0000", "–"]


@pytest.fixture(scope="module")
def page(write_page):
    return write_page(results(0.05))


def test_images_from_elsewhere_are_named_where_models_were_evaluated_on_them(page, write_page):
    assert "evaluated only on validation images." in page
    elsewhere = write_page(results(0.05), external="/images/north")
    assert "evaluated only on validation images and on labelled images from elsewhere." in elsewhere


def test_a_study_of_drawn_images_says_nothing_about_radiographs(page, write_page):
    assert "The training images are synthetic" not in page
    assert "The training images are synthetic" in write_page(results(0.05), source="synthetic")


def test_how_many_intervals_chance_gives_is_said_as_a_count_only_from_one_on(page, write_page):
    text = "If the recipes did not differ, 1 of 20 intervals would exclude zero by chance"
    assert f"1 difference was tested. {text}." in page
    many = {f"untouched_{rate}": [0.9, 0.91, 0.92, 0.9, 0.92, 0.91] for rate in ("specificity", "sensitivity")}
    assert f"3 differences were tested. {text}." in write_page(results(0.05).assign(**many))


def test_the_page_calls_its_figures_on_validation_optimistic(page):
    assert "evaluated only on validation images" in page
    assert "epoch was chosen on validation, so the figures are optimistic" in page


@pytest.mark.parametrize(
    ("training", "folds", "said"),
    [
        ({"epochs": 8, "validation_freq": 6}, 1, "Each training's epoch was chosen on validation, so the figures are"),
        ({"epochs": 6, "validation_freq": 7}, 1, "No epoch was chosen on validation images."),
        ({"epochs": 8, "members": 3}, 1, "No epoch was chosen on validation images."),
        ({"epochs": 9, "validation_freq": 8}, 2, "Of base, each training's epoch was chosen on validation, so their"),
        ({"epochs": 9}, "site", "Each training's epoch was chosen on validation images of the sites that it saw."),
        ({"epochs": 8, "validation_freq": 9}, "site", "No epoch was chosen on validation images."),
    ],
)
def test_an_epoch_is_said_to_be_chosen_only_of_recipes_that_validate_several(write_page, training, folds, said):
    page = write_page(results(0.05), folds=folds, training=training)
    assert f"<li>{said}" in html.unescape(page)
    assert page.count("epoch was chosen") == 1


def test_labels_to_read_again_are_shown_with_their_expected_number(page):
    assert "Of 900 images labelled NORMAL, 1 is suspected, and 3 (1 to 10) would be wrong" in page
    assert "labelled NORMAL, <strong>PNEUMONIA 97.0%</strong>" in page
    assert "No label was changed." in page


def test_the_page_needs_nothing_beside_itself_and_names_recipes_as_text(page):
    assert "<b>other</b>" not in page
    assert "&lt;b&gt;other&lt;/b&gt; is better in 1 of 2 measures" in page
    assert "training.epochs=7" in page
    assert "not a medical device" in page
    assert "http" not in page.replace("http-equiv", "")


def test_only_differences_with_an_interval_are_counted_as_tested(page):
    assert "1 differences were tested" not in page
    assert "1 difference was tested" in page


def test_suspected_images_have_pictures_where_their_pixels_are_stored(tiny_manifest, tiny_stores, default_parameters):
    inputs = InputsParameters(**{**default_parameters["inputs"], "image_size": 32, "resize": "squeeze"})
    suspected = tiny_manifest.head(3)[["path", "sha256"]].assign(label="NORMAL")
    suspected.loc[1, "sha256"] = "f" * 64  # of the manifest no longer
    drawn = draw_suspects(suspected, tiny_manifest, tiny_stores, inputs)
    assert [record["path"] for record in drawn] == [tiny_manifest["path"][0], tiny_manifest["path"][2]]
    assert all(record["image"].startswith("data:image/webp;base64,") for record in drawn)
    assert draw_suspects(suspected[:0], tiny_manifest, tiny_stores, inputs) == []


def test_an_expected_number_that_there_is_not_is_not_told(write_page):
    """No image of the class is one of which the networks are sure."""
    gap = float("nan")
    page = write_page(results(0.05), suspected=0, expected=gap, low=gap, high=gap)
    assert "Of 900 images labelled NORMAL, 0 are suspected. Networks are not always right" in page
    one = write_page(results(0.05), low=gap, high=gap)
    assert "1 is suspected, and 3 (no interval) would be wrong" in one


def test_training_images_of_two_folds_are_not_said_to_overlap(write_page):
    page = write_page(results(0.05), folds=2)
    assert "The trainings of different folds are not independent" in page
    assert "overlap" not in page
