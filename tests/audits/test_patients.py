import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.audits.patients import (
    compare_by_attribute,
    count_patients,
    measure_by_attribute,
    measure_patients,
)
from pneumonia.metrics.bounds import estimate_rate


@pytest.fixture(scope="module")
def images():
    """400 test images of 200 groups. Of those of men a fifth of the positives is missed, of those of women none."""
    rng = np.random.default_rng(0)
    target = np.repeat(rng.integers(0, 2, 200), 2)
    sex = np.repeat(["F", "F", "M", "M"], 100)
    is_missed = (sex == "M") & (target == 1) & (np.arange(400) % 5 == 0)
    probability = np.clip(np.where(is_missed, 0.2, 0.15 + 0.7 * target) + 0.1 * rng.normal(size=400), 0.01, 0.99)
    return pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(400)],
            "group": np.repeat([f"{group:04d}" for group in range(200)], 2),
            "target": target,
            "split": "test",
            "probability": probability,
            "decision": (probability >= 0.5).astype(int),
            "sex": sex,
            "age": np.tile(["0.5", "3", "3", "17", "40", "64", "70", ""], 50),
            "view": "",
        }
    )


def test_each_attribute_that_the_source_names_is_measured_apart_and_no_other(images):
    table = measure_by_attribute(images)

    ages = table[table["attribute"] == "age"].set_index("value")["n"].to_dict()
    assert list(ages.items()) == [
        ("under 1 year", 50), ("1 to 5 years", 100), ("6 to 17 years", 50), ("40 to 64 years", 100),
        ("65 years and over", 50), ("not known", 50),
    ]  # fmt: skip
    of_men = images[images["sex"] == "M"]
    men = table.set_index(["attribute", "value"]).loc[("sex", "M")]
    assert men["auc"] == pytest.approx(roc_auc_score(of_men["target"], of_men["probability"]))
    assert men["sensitivity_low"] < men["sensitivity"] < men["sensitivity_high"]
    assert set(table["attribute"]) == {"age", "sex"}


def test_two_parts_are_compared_once_and_of_more_each_with_all_others(images):
    table = compare_by_attribute(images)

    of_sexes = table[table["attribute"] == "sex"].set_index("measure")
    assert set(of_sexes["value"] + of_sexes["against"]) == {"FM"}
    men = images[(images["sex"] == "M") & (images["target"] == 1)]
    missed = 1 - (men["decision"] == 1).mean()
    assert of_sexes.loc["sensitivity", "difference"] == pytest.approx(missed, abs=0.02)
    assert 0 < of_sexes.loc["sensitivity", "joint_low"] < of_sexes.loc["sensitivity", "low"]
    assert of_sexes.loc["sensitivity", "n_against"] == len(men)
    ages = table[table["attribute"] == "age"]
    assert len(ages) == 15
    assert set(ages["against"]) == {"all others"}
    assert (ages["n"] + ages["n_against"]).max() == 350  # those of no known age are with nobody


def test_a_joint_interval_leaves_out_a_share_of_the_tail(images):
    table = compare_by_attribute(images[["target", "group", "probability", "decision", "sex"]])

    assert len(table) == 3
    for row in table[table["measure"] == "specificity"].to_dict("records"):
        parts = [images[(images["sex"] == sex) & (images["target"] == 0)] for sex in ("F", "M")]
        first, second = (estimate_rate(part["decision"] == 0, part["group"], 0.025 / 3) for part in parts)
        down = np.hypot(first["value"] - first["low"], second["high"] - second["value"])
        assert row["joint_low"] == pytest.approx(row["difference"] - down)


def test_a_part_of_few_images_is_measured_and_not_compared(images):
    few = images.assign(sex=np.where(np.arange(400) < 392, "F", "M")).drop(columns="age")
    assert measure_by_attribute(few)["n"].tolist() == [392, 8]
    assert compare_by_attribute(few).empty


def test_where_nothing_is_known_there_are_no_rows(images):
    unknown = images.assign(sex="").drop(columns="age")
    predictions = unknown.drop(columns=["sex", "view"])
    assert all(table.empty for table in (*measure_patients(predictions, unknown), count_patients(unknown)))
    assert measure_by_attribute(unknown).empty


def test_the_images_of_each_split_are_counted_by_what_is_known(images):
    manifest = images.assign(split=np.repeat(["train", "val", "test", "test"], 100))
    sexes = count_patients(manifest).query("attribute == 'sex'").set_index("value")
    assert sexes[["train", "val", "test"]].to_numpy().tolist() == [[100, 100, 0], [0, 0, 200]]
    assert sexes.loc["M", "test_positive"] == images["target"][200:].sum()


def test_the_attributes_of_the_manifest_reach_the_measures(images):
    predictions = images.drop(columns=["sex", "age", "view"])
    others = predictions.head(5).assign(split="val")
    strata, differences = measure_patients(pd.concat([others, predictions]), images)
    assert strata.equals(measure_by_attribute(images))
    assert differences.equals(compare_by_attribute(images))
