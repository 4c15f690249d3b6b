import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.metrics.strata import Family, measure_strata


@pytest.fixture(scope="module")
def tables():
    """90 test images, each its own group; the first 30 are small files, the last 30 large ones."""
    rng = np.random.default_rng(3)
    target = np.arange(90) % 2
    probability = np.clip(0.5 + 0.3 * (target - 0.5) + 0.25 * rng.normal(size=90), 0.01, 0.99)
    names = [f"image{index:02d}" for index in range(90)]
    predictions = pd.DataFrame(
        {
            "path": names,
            "group": names,
            "target": target,
            "etiology": np.where(target == 0, "none", np.where(np.arange(90) % 4 == 1, "bacteria", "virus")),
            "probability": probability,
            "decision": (probability >= 0.5).astype(int),
            "split": "test",
        }
    )
    size = np.repeat([1000, 2000, 3000], 30)
    mode = np.where(target == 1, "RGB", np.where(np.arange(90) % 4 == 0, "L", "I;16"))
    manifest = pd.DataFrame({"path": names, "bytes": size, "width": 200, "height": 100, "mode": mode})
    return predictions, manifest


@pytest.fixture(scope="module")
def strata(tables):
    return measure_strata(*tables).set_index(["family", "stratum"])


def test_an_etiology_is_set_against_all_negatives(strata, tables):
    predictions, _ = tables
    rows = predictions[predictions["etiology"].isin(["none", "virus"])]
    virus = strata.loc[(Family.ETIOLOGY, "virus")]
    assert virus["auc"] == pytest.approx(roc_auc_score(rows["target"], rows["probability"]))
    assert (virus["n"], virus["n_positive"]) == (67, 22)
    assert virus["auc_low"] < virus["auc"] < virus["auc_high"]


def test_file_sizes_are_cut_into_thirds(strata):
    assert strata.loc[Family.FILE_SIZE]["n"].to_dict() == {"low": 30, "middle": 30, "high": 30}


def test_equal_values_stay_in_one_third(strata):
    assert strata.loc[Family.ASPECT]["n"].to_dict() == {"middle": 90}


def test_a_part_of_one_class_has_no_auc_and_no_rate_of_the_other(strata):
    colour = strata.loc[(Family.MODE, "colour")]
    assert (colour["n"], colour["n_positive"]) == (45, 45)
    assert pd.isna(colour["auc"])
    assert pd.isna(colour["specificity"])
    assert 0 < colour["sensitivity"] < 1
