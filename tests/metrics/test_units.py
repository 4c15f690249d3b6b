import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.metrics.units import copies_of, measure_units, one_row_per_group


@pytest.fixture
def test_images():
    """Six test images of four groups, all but one decided right at 0.5."""
    table = pd.DataFrame(
        {
            "path": list("abcdef"),
            "group": ["p", "p", "q", "n", "n", "m"],
            "target": [1, 1, 1, 0, 0, 0],
            "probability": [0.9, 0.3, 0.8, 0.1, 0.3, 0.4],
            "split": "test",
        }
    )
    return table.assign(calibrated_probability=table["probability"], decision=(table["probability"] >= 0.5).astype(int))


@pytest.fixture
def manifest(test_images):
    return test_images[["path"]].assign(sha256=[f"hash-{path}" for path in test_images["path"]])


def duplicates(*rows):
    return pd.DataFrame(rows, columns=["sha256", "source_split"])


DECISION = {"threshold": 0.5, "calibration": {"method": "none"}}


@pytest.fixture
def parameters(default_parameters):
    from pneumonia.base.parameters import EvaluationParameters

    return EvaluationParameters(**{**default_parameters["evaluation"], "resamples": 200})


def test_a_group_has_the_mean_of_its_images(test_images):
    grouped = one_row_per_group(test_images).set_index("group")["probability"]
    assert grouped.to_dict() == pytest.approx({"m": 0.4, "n": 0.2, "p": 0.6, "q": 0.8})


def test_figures_per_group_are_those_of_the_mean_probabilities(test_images, manifest, parameters):
    measured = measure_units(test_images, manifest, duplicates(), DECISION, parameters)
    assert measured["folder"] is None
    of_groups = measured["group"]
    assert (of_groups["n"], of_groups["n_groups"]) == (4, 4)
    assert of_groups["sensitivity"]["value"] == 1  # p's mean is 0.6, though one of its images was missed
    assert of_groups["auc"]["value"] == roc_auc_score([0, 0, 1, 1], [0.4, 0.2, 0.6, 0.8])


def test_a_surplus_copy_counts_as_the_image_it_is_a_copy_of(test_images, manifest, parameters):
    dropped = duplicates(("hash-b", "test"), ("hash-b", "test"), ("hash-c", "train"), ("hash-other", "test"))
    copies = copies_of(test_images, manifest, dropped)
    assert copies["path"].tolist() == ["b", "b"]
    folder = measure_units(test_images, manifest, dropped, DECISION, parameters)["folder"]
    assert (folder["n"], folder["n_groups"]) == (8, 4)
    assert folder["sensitivity"]["value"] == 2 / 5  # of a, b, c and two more copies of b, only a and c are found
