import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.split.folds import HELD_OUT, fold_of_manifest, leave_out


@pytest.fixture
def manifest():
    """24 groups of two images each, half of them positive, of which 4 groups are test."""
    rows = [
        {"path": f"{group}-{image}", "group": group, "label": "PN"[group % 2], "target": 1 - group % 2, "split": split}
        for group in range(24)
        for split in [("test" if group < 4 else "val" if group < 8 else "train")]
        for image in range(2)
    ]
    return pd.DataFrame(rows)


def test_each_image_of_train_and_val_is_val_in_one_fold_and_no_group_is_on_both_sides(manifest):
    folds = [fold_of_manifest(manifest, 4, number, seed=0) for number in (1, 2, 3, 4)]

    times = sum((fold["split"] == "val").astype(int) for fold in folds)
    assert times[manifest["split"] != "test"].eq(1).all()
    assert times[manifest["split"] == "test"].eq(0).all()
    for fold in folds:
        assert fold[fold["split"] != "test"].groupby("group")["split"].nunique().max() == 1
        assert (fold["split"] == "test").equals(manifest["split"] == "test")
        assert fold.drop(columns="split").equals(manifest.drop(columns="split"))


def test_one_fold_is_the_split_of_the_manifest(manifest):
    assert fold_of_manifest(manifest, 1, 1, seed=0).equals(manifest)


def test_more_folds_than_groups_of_a_class_are_refused(manifest):
    with pytest.raises(UserError, match=r"study\.folds is 12, .* N .* 10 groups"):
        fold_of_manifest(manifest, 12, 1, seed=0)


def test_a_site_that_is_left_out_is_neither_trained_on_nor_validated_on_nor_tested(manifest):
    rows = leave_out(manifest.assign(site=["ab"[group % 4 // 2] for group in manifest["group"]]), "b")

    # Of 12 groups of site b, 2 are test: the images of the other 10 are held out.
    assert rows.loc[rows["site"] == "b", "split"].tolist() == [HELD_OUT] * 20
    assert rows.loc[rows["site"] == "a", "split"].value_counts().to_dict() == {"train": 16, "val": 4, "test": 4}


def test_the_last_site_cannot_be_left_out(manifest):
    with pytest.raises(UserError, match="Without the site a, train"):
        leave_out(manifest.assign(site="a"), "a")
