import pandas as pd
import pytest

from pneumonia.report.external import list_external_findings

TEST = {"auc": {"value": 0.99, "low": 0.98, "high": 0.995}}


def found(value, low, high, out_of_range=0.01, slope=1.1, shortcut=0.4):
    metrics = {
        "external": {
            "auc": {"value": value, "low": low, "high": high},
            "calibration_slope": {"value": slope, "low": slope - 0.2, "high": slope + 0.2},
            "calibration_in_the_large": {"value": 0.1, "low": -0.2, "high": 0.4},
        },
        "out_of_range": out_of_range,
    }
    shortcuts = pd.DataFrame({"predictor": ["network", "file_size"], "auc": [value, shortcut]})
    return {finding["title"]: finding for finding in list_external_findings(metrics, TEST, shortcuts, "PNEUMONIA")}


@pytest.mark.parametrize(
    ("auc", "title"),
    [
        ((0.30, 0.25, 0.35), "Worse than chance: are the labels swapped?"),
        ((0.47, 0.40, 0.53), "Not better than chance"),
        ((0.55, 0.50, 0.60), "Not better than chance"),
        ((0.70, 0.65, 0.75), "Better than chance"),
        ((0.70, None, None), "No interval"),
    ],
)
def test_the_interval_decides_what_is_said_of_chance(auc, title):
    assert title in found(*auc)


def test_what_speaks_against_it_is_said():
    titles = found(0.7, 0.65, 0.75, out_of_range=0.06, slope=0.4, shortcut=0.8)
    assert {title for title, finding in titles.items() if finding["level"] != "good"} == {
        "A hard fall",
        "Many images are unlike the training images",
        "Probabilities are miscalibrated there",
        "A shortcut does as well",
    }


def test_a_result_that_carries_over_is_called_good():
    assert {finding["level"] for finding in found(0.985, 0.97, 0.99).values()} == {"good"}
