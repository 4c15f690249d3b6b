import pandas as pd
import pytest

from pneumonia.report.external import judge_auc, list_external_findings, say_fates, tabulate_shortcuts

TEST = {"auc": {"value": 0.99, "low": 0.98, "high": 0.995}}


def found(value, low, high, out_of_range=0.01, slope=1.0, lead=0.3, within=0.02, shared=0):
    metrics = {
        "place": "north",
        "external": {
            "auc": {"value": value, "low": low, "high": high},
            "calibration_slope": {"value": slope, "low": slope - 0.1, "high": slope + 0.1},
            "calibration_in_the_large": {"value": 0.0, "low": -0.1, "high": 0.1},
        },
        "shared": {"images": shared, "groups": shared},
        "out_of_range": out_of_range,
        "out_of_range_estimate": {"value": out_of_range, "low": 0.0, "high": out_of_range + within},
    }
    shortcuts = pd.DataFrame(
        {
            "predictor": ["network", "border"],
            "images": "external",
            "auc": [value, value - lead],
            "low": [low, value - lead - 0.1],
            "high": [high, value - lead + 0.1],
            "behind_network": [None, lead],
            "behind_network_low": [None, lead - 0.1],
            "behind_network_high": [None, lead + 0.1],
        }
    )
    material = {"external_metrics": metrics, "metrics": {"test": TEST}, "external_shortcuts": shortcuts}
    material |= dict.fromkeys(("external_subgroups", "external_differences"), pd.DataFrame())
    return {finding["title"]: finding for finding in list_external_findings(material, "PNEUMONIA")}


@pytest.mark.parametrize(
    ("auc", "title"),
    [
        ((0.30, 0.25, 0.35), "Worse than chance: are the labels swapped?"),
        ((0.47, 0.40, 0.53), "Not shown to be better than chance"),
        ((0.55, 0.50, 0.60), "Not shown to be better than chance"),
        ((0.70, 0.65, 0.75), "Better than chance"),
        ((0.70, None, None), "No interval"),
    ],
)
def test_the_interval_decides_what_is_said_of_chance(auc, title):
    assert title in found(*auc)


def test_an_interval_that_excludes_chance_does_not_read_as_if_it_had_it():
    finding = judge_auc({"value": 0.62, "low": 0.50004, "high": 0.73}, "PNEUMONIA")
    assert finding["title"] == "Better than chance"
    assert "0.50004 to 0.730" in finding["text"]


def test_what_speaks_against_it_is_said():
    titles = found(0.7, 0.65, 0.75, out_of_range=0.06, slope=0.4, lead=0.05)
    assert {title for title, finding in titles.items() if finding["level"] != "good"} == {
        "Much worse than on its own test",
        "Many images are unlike the training images",
        "Probabilities are miscalibrated on the images of “north”",
        "Not shown to be better than a shortcut",
    }


def test_a_result_that_carries_over_is_called_good():
    assert {finding["level"] for finding in found(0.985, 0.97, 0.99, lead=0.5).values()} == {"good"}


@pytest.mark.parametrize(
    ("share", "within", "title"),
    [
        (0.01, 0.03, "The images look like the training images"),
        (0.01, 0.05, "More than 5% of images unlike the training images are not excluded"),
        (0.08, 0.05, "Many images are unlike the training images"),
    ],
)
def test_images_are_called_like_those_of_training_only_by_an_interval(share, within, title):
    assert title in found(0.985, 0.97, 0.99, out_of_range=share, within=within)


def test_groups_that_are_called_like_the_models_own_speak_against_a_test_elsewhere():
    title = "Patients of the model's own images may be among them"
    assert title not in found(0.985, 0.97, 0.99)
    assert "3 images are of 3 groups that are called like" in found(0.985, 0.97, 0.99, shared=3)[title]["text"]
    assert "1 image is of 1 group that is called like" in found(0.985, 0.97, 0.99, shared=1)[title]["text"]


@pytest.mark.parametrize(
    ("there", "title", "level"),
    [
        ((0.70, 0.65, 0.75), "Much worse than on its own test", "bad"),
        ((0.95, 0.92, 0.97), "Worse than on its own test", "caution"),
        ((0.97, 0.90, 0.995), "A loss of more than 0.05 is not excluded", "caution"),
        ((0.985, 0.97, 0.99), "At most 0.05 below its own test", "good"),
    ],
)
def test_the_fall_is_judged_by_its_interval(there, title, level):
    assert found(*there)[title]["level"] == level


def test_nothing_speaks_for_a_model_that_may_be_guessing_there():
    assert "good" not in {finding["level"] for finding in found(0.47, 0.40, 0.53, lead=0.4).values()}


def test_the_table_of_shortcuts_has_the_best_first_and_the_lead_of_the_network():
    audit = pd.DataFrame(
        {
            "predictor": ["network", "file_size"],
            "auc": [0.46, 0.8],
            "low": [0.4, 0.74],
            "high": [0.52, 0.85],
            "behind_network": [None, -0.34],
            "behind_network_low": [None, -0.44],
            "behind_network_high": [None, -0.24],
        }
    )

    table = tabulate_shortcuts(audit)

    assert table.to_numpy().tolist() == [
        ["File size", 0.8, "0.740 to 0.850", "-0.340", "-0.440 to -0.240"],
        ["The network", 0.46, "0.400 to 0.520", "", ""],
    ]


def test_every_fate_of_a_file_is_put_in_words():
    status = pd.Series(["ok"] * 1200 + ["left out"] * 4 + ["known"] * 3 + ["duplicate"] * 2 + ["rejected"])
    assert say_fates(status) == (
        "1,200 used, 4 left out by the table of labels, 3 refused: the model's own images, 2 left out: copies of "
        "others, 1 unusable"
    )
