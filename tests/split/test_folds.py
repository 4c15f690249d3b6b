from itertools import pairwise

import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.split.folds import BLOCKS, HELD_OUT, cut_blocks, fold_of_manifest, leave_out, name_place, order_groups


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


@pytest.fixture
def numbered():
    """60 groups of N and 100 of P in train, val and test; of every eight, one has no number in its name."""
    rows = [
        {"path": f"train/{label}/{f'IM-{group}-{image}' if group % 8 else chr(97 + group // 8) * 9}.png"}
        | {"group": f"{label}{group}", "label": label, "target": int(label == "P"), "split": split}
        for label, groups in (("N", 60), ("P", 100))
        for group in range(groups)
        for split in [("train", "val", "test")[group * 7 % 3]]
        for image in range(1 + group % 3 if group % 8 else 1)
    ]
    return pd.DataFrame(rows)


def test_blocks_are_whole_stretches_of_numbers_of_about_as_many_images_of_each_class(numbered):
    folds = [fold_of_manifest(numbered, BLOCKS, number, seed=0) for number in range(1, 6)]

    seen = numbered[(numbered["split"] != "test") & numbered["path"].str.contains("IM-")]
    number = seen["group"].str[1:].astype(int)
    for label in "NP":
        of_class = number[seen["label"] == label]
        inside = [of_class[fold.loc[of_class.index, "split"] == "val"] for fold in folds]
        assert all(one.max() < other.min() for one, other in pairwise(inside))
        assert max(map(len, inside)) - min(map(len, inside)) <= 4
        assert sum(map(len, inside)) == len(of_class)
    times = sum((fold["split"] == "val").astype(int) for fold in folds)
    assert times.equals((numbered["split"] != "test").astype(int))
    assert all(fold.groupby("group")["split"].nunique().max() == 1 for fold in folds)


def test_blocks_do_not_depend_on_the_order_of_the_files(numbered):
    shuffled = numbered.sample(frac=1, random_state=0)

    assert cut_blocks(shuffled).sort_index().equals(cut_blocks(numbered))


def test_blocks_of_images_whose_names_have_no_order_are_refused(manifest):
    with pytest.raises(UserError, match=r"study\.folds is blocks, but .* class N have no numbers"):
        fold_of_manifest(manifest.assign(path="name"), BLOCKS, 1, seed=0)


def test_a_site_that_is_left_out_is_neither_trained_on_nor_validated_on_nor_tested(manifest):
    rows = leave_out(manifest.assign(site=["ab"[group % 4 // 2] for group in manifest["group"]]), "b")

    # Of 12 groups of site b, 2 are test: the images of the other 10 are held out.
    assert rows.loc[rows["site"] == "b", "split"].tolist() == [HELD_OUT] * 20
    assert rows.loc[rows["site"] == "a", "split"].value_counts().to_dict() == {"train": 16, "val": 4, "test": 4}


def test_the_last_site_cannot_be_left_out(manifest):
    with pytest.raises(UserError, match="Without the site a, train"):
        leave_out(manifest.assign(site="a"), "a")


def rows_of(*names):
    """Images of class N at these paths, each a group of its own, named by its number in the list."""
    return pd.DataFrame({"path": names, "label": "N", "group": [str(place) for place in range(len(names))]})


def test_folders_of_split_and_class_are_no_part_of_the_form_but_folders_of_patients_are():
    assert name_place("data/Train/normal/IM-0115-0001.jpeg", "NORMAL") == ("data/IM-#-#.jpeg", (115, 1))
    assert name_place("test/NORMAL/p7/view1.png", "NORMAL") == ("p#/view#.png", (7, 1))


def test_groups_are_ordered_by_number_within_each_form_of_names_whatever_the_order_of_the_files():
    numbers = [*range(100, 0, -5), *range(3, 90, 3)]
    rows = rows_of(*(f"train/N/IM-{number}.png" for number in numbers), *(f"test/N/x{n:03}.png" for n in range(20)))

    order = order_groups(rows.sample(frac=1, random_state=0))

    assert order["form"].tolist() == ["IM-#.png"] * 49 + ["x#.png"] * 20
    by_number = sorted(range(49), key=lambda place: (numbers[place], place))
    assert [numbers[int(group)] for group in order["group"][:49]] == [numbers[place] for place in by_number]


def test_a_group_has_the_place_of_its_first_image_and_the_numbers_of_uids_may_be_long():
    uids = [f"1.2.840.{10**30 + number}.dcm" for number in range(21)]
    rows = rows_of(*uids).assign(group=[*"abcdefghijklmnopqrst", "a"])

    assert order_groups(rows)["group"].tolist() == list("abcdefghijklmnopqrst")


def test_names_of_random_letters_and_few_names_of_a_form_have_no_order():
    random = [f"{'abcdefghij'[n % 10]}{n}{'klmnopqrst'[n // 10]}.png" for n in range(100)]

    assert order_groups(rows_of(*random, *(f"IM-{n}.png" for n in range(19)), *["name.png"] * 30)).empty
