import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumonia.metrics.breakdowns import (
    ETIOLOGY_COLUMNS,
    Family,
    copies_of,
    count_etiologies,
    measure_splits,
    measure_strata,
    measure_units,
    one_row_per_group,
    paired_loss,
)


def predictions(likeliest):
    """Five test images: a negative one, three bacterial and one viral one; and a positive one of no known etiology."""
    etiology = ["none", "bacteria", "bacteria", "bacteria", "virus", "unknown"]
    return pd.DataFrame(
        {
            "split": "test",
            "group": list("abcdef"),
            "target": [0, 1, 1, 1, 1, 1],
            "etiology": etiology,
            "likeliest_etiology": likeliest,
            "etiology_score": [0.9, 0.8, 0.7, 0.2, 0.3, 0.5],
        }
    )


def test_positive_images_of_each_etiology_are_counted_by_the_likeliest_one():
    table = count_etiologies(predictions(["virus", "bacteria", "bacteria", "virus", "virus", "virus"]))

    assert table[["etiology", "likeliest", "images", "of_images", "n_groups"]].to_numpy().tolist() == [
        ["bacteria", "bacteria", 2, 3, 3],
        ["bacteria", "virus", 1, 3, 3],
        ["virus", "bacteria", 0, 1, 1],
        ["virus", "virus", 1, 1, 1],
    ]
    assert table["value"].tolist() == [2 / 3, 1 / 3, 0, 1]
    assert set(table["auc"]) == {2 / 3}  # of three pairs of a bacterial and a viral image, two are in order
    first = table.iloc[0]
    assert 0 < first["low"] < 2 / 3 < first["high"] < 1


def test_a_network_that_tells_none_apart_has_no_row():
    table = count_etiologies(predictions(["unknown"] * 6))

    assert table.empty
    assert list(table.columns) == ETIOLOGY_COLUMNS


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


def test_values_that_are_all_equal_are_not_called_a_third(strata):
    assert strata.loc[Family.ASPECT]["n"].to_dict() == {"all alike": 90}


def test_a_part_of_one_class_has_no_auc_and_no_rate_of_the_other(strata):
    colour = strata.loc[(Family.MODE, "colour")]
    assert (colour["n"], colour["n_positive"]) == (45, 45)
    assert pd.isna(colour["auc"])
    assert pd.isna(colour["specificity"])
    assert 0 < colour["sensitivity"] < 1


def test_a_sample_of_train_is_set_beside_validation_and_test():
    rows = pd.DataFrame({"group": list("abcd"), "target": [0, 0, 1, 1], "probability": [0.1, 0.6, 0.4, 0.9]})
    rows = rows.assign(decision=[0, 1, 0, 1])
    table = measure_splits(pd.concat([rows.assign(split="test"), rows[1:].assign(split="val")]), rows[::3])
    assert table[["split", "n"]].to_numpy().tolist() == [["train", 2], ["val", 3], ["test", 4]]
    assert table["sensitivity"].tolist() == [1, 0.5, 0.5]


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
    return table.assign(decision=(table["probability"] >= 0.5).astype(int))


@pytest.fixture
def manifest(test_images):
    return test_images[["path"]].assign(sha256=[f"hash-{path}" for path in test_images["path"]])


def duplicates(*rows):
    return pd.DataFrame(rows, columns=["sha256", "source_split"])


DECISION = {"threshold": 0.5, "calibration": {"method": "none"}}


@pytest.fixture
def parameters(evaluation_parameters):
    return evaluation_parameters.model_copy(update={"resamples": 200})


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


def test_groups_of_one_image_have_the_figures_of_images_where_probabilities_are_calibrated(
    test_images, manifest, parameters
):
    calibration = {"method": "isotonic", "x": [0.0, 0.5, 1.0], "y": [0.9, 0.9, 0.9], "prevalence": 0.5}
    alone = test_images.assign(group=test_images["path"])
    measured = measure_units(alone, manifest, duplicates(), {**DECISION, "calibration": calibration}, parameters)
    assert measured["group"]["auc"]["value"] == pytest.approx(roc_auc_score(alone["target"], alone["probability"]))
    assert measured["group"]["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert measured["group"]["specificity"]["value"] == 1


def test_a_surplus_copy_counts_as_the_image_it_is_a_copy_of(test_images, manifest, parameters):
    dropped = duplicates(("hash-b", "test"), ("hash-b", "test"), ("hash-c", "train"), ("hash-other", "test"))
    copies = copies_of(test_images, manifest, dropped)
    assert copies["path"].tolist() == ["b", "b"]
    folder = measure_units(test_images, manifest, dropped, DECISION, parameters)["folder"]
    assert (folder["n"], folder["n_groups"]) == (8, 4)
    assert folder["sensitivity"]["value"] == 2 / 5  # of a, b, c and two more copies of b, only a and c are found


@pytest.fixture
def clean():
    rng = np.random.default_rng(0)
    target = np.arange(300) % 2
    probability = 1 / (1 + np.exp(-3 * (target - 0.5) - rng.normal(size=300)))
    paths = [f"{index}.jpeg" for index in range(300)]
    return pd.DataFrame(
        {"path": paths, "target": target, "group": np.arange(300) // 2 * 2 + target, "probability": probability}
    )


def test_the_loss_is_that_of_the_same_images_in_whatever_order(clean):
    damaged = clean.assign(probability=clean["probability"] + np.random.default_rng(1).normal(size=300) / 5)
    found = paired_loss("loss", clean, damaged)
    assert found == paired_loss("loss", clean, damaged.sample(frac=1, random_state=0))
    assert found["loss_low"] < found["loss"] < found["loss_high"]
    assert found["loss"] > 0
    assert paired_loss("loss", clean, damaged, 1) == found | {"loss_joint_low": found["loss_low"]}
    assert paired_loss("loss", clean, damaged, 9)["loss_joint_low"] < found["loss_low"]


def test_images_as_they_were_lose_exactly_nothing(clean):
    assert paired_loss("loss", clean, clean) == {"loss": 0.0, "loss_low": 0.0, "loss_high": 0.0}
