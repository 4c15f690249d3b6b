"""Folds of images, with every group in one of them; the order of groups by the numbers in the names of their images.

Near numbers are often of one time or one device.
"""

import re

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.images.layout import SPLITS

Splits = tuple[pd.DataFrame, pd.DataFrame]


def grouped_folds(rows: pd.DataFrame, folds: int, seed: int, parameter: str) -> list[Splits]:
    """Cut images into folds with about the same share of positives; a group is in one fold.

    Args:
        rows: Rows of the manifest, with label, target and group.
        folds: How many.
        seed: Of the folds.
        parameter: Which parameter asks for so many, for messages.

    Returns:
        For each fold the rows outside of it, and its own.

    Raises:
        UserError: If there are too few groups of a class for so many folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = rows.groupby("label")["group"].nunique()
    if groups.min() < folds:
        raise UserError(
            f"{parameter} is {folds}, but class {groups.idxmin()} has only {groups.min()} groups to share out, and "
            f"each fold needs one. Lower {parameter}."
        )
    cutter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    cut = [(rows.iloc[rest], rows.iloc[fold]) for rest, fold in cutter.split(rows, rows["target"], rows["group"])]
    if any(part["target"].nunique() < 2 for splits in cut for part in splits):
        raise UserError(
            f"{parameter} is {folds}, but the groups are too uneven for so many folds with both classes. Lower "
            f"{parameter}."
        )
    return cut


BLOCKS = "blocks"  # folds that are whole stretches of groups in the order of the numbers in their names
N_BLOCKS = 5


def cut_blocks(rows: pd.DataFrame) -> pd.Series:
    """Cut the groups of each class, in the order of the numbers in their names, into stretches of about as many images.

    Names of each form are cut alike; names without an order count as one more form, in the order of the names.

    Args:
        rows: path, label and group of images.

    Returns:
        The stretch of each row, from 1, with the index of the rows; a group is in one.

    Raises:
        UserError: If less than half of the groups of a class have an order.
    """
    order = order_groups(rows)
    groups = rows.groupby(["label", "group"]).size().rename("images").reset_index()
    ordered = order.merge(groups, on=["label", "group"])
    for label, group_count in groups["label"].value_counts().items():
        if 2 * (ordered["label"] == label).sum() < group_count:
            raise UserError(
                f"study.folds is {BLOCKS}, but the names of the images of class {label} have no numbers that put most "
                f"of their groups in an order. Give study.folds a number."
            )
    rest = groups.merge(order, on=["label", "group"], how="left")
    every = pd.concat([ordered, rest[rest["form"].isna()].assign(form="")], ignore_index=True)
    images = every.groupby(["label", "form"], sort=False)["images"]
    middle = (images.cumsum() - every["images"] / 2) / images.transform("sum")
    block = pd.Series((middle * N_BLOCKS).astype(int).to_numpy() + 1, every["group"])
    return rows["group"].map(block[~block.index.duplicated()])


HELD_OUT = "held out"  # the split of a site's images on which a network is judged that saw none of them


def leave_out(split_manifest: pd.DataFrame, site: str) -> pd.DataFrame:
    """Return the manifest without a site in train, val and test; its images of train and val are held out.

    Raises:
        UserError: If what is left lacks train or val images of a class.
    """
    is_there = split_manifest["site"] == site
    held_out = is_there & (split_manifest["split"] != "test")
    rows = split_manifest.assign(split=split_manifest["split"].mask(held_out, HELD_OUT))[~is_there | held_out]
    for split in ("train", "val"):
        if rows.loc[rows["split"] == split, "target"].nunique() < 2:
            raise UserError(
                f"Without the site {site}, {split} has images of fewer than two classes. Add a site, or give "
                "study.folds a number."
            )
    return rows.reset_index(drop=True)


def fold_of_manifest(split_manifest: pd.DataFrame, folds: int | str, fold: int, seed: int) -> pd.DataFrame:
    """Return the manifest with one fold of train and val as val and the other folds as train; test stays as it is.

    Args:
        split_manifest: One row per image.
        folds: How many; 1: the manifest as it is; blocks: five stretches of consecutive numbers.
        fold: Which, from 1.
        seed: Of the folds.
    """
    if folds == 1:
        return split_manifest
    seen = split_manifest[split_manifest["split"] != "test"]
    if folds == BLOCKS:
        val = seen[cut_blocks(seen) == fold]
    else:
        _, val = grouped_folds(seen, int(folds), seed, "study.folds")[fold - 1]
    split = split_manifest["split"].where(split_manifest["split"] == "test", "train")
    return split_manifest.assign(split=split.mask(split_manifest.index.isin(val.index), "val"))


LEAST_GROUPS = 20  # of a class; fewer with names of one form have no order that tells anything
_NUMBER = re.compile(r"\d+")


def name_place(path: str, label: str) -> tuple[str, tuple[int, ...]]:
    """Return the form of a path and its numbers from left to right; folders named like the split or class do not count.

    >>> name_place("train/NORMAL/NORMAL2-IM-0423-0001.jpeg", "NORMAL")
    ('NORMAL#-IM-#-#.jpeg', (2, 423, 1))
    """
    *folders, name = path.split("/")
    kept = [folder for folder in folders if folder.lower() not in (*SPLITS, label.lower())]
    text = "/".join([*kept, name])
    return _NUMBER.sub("#", text), tuple(int(number) for number in _NUMBER.findall(text))


def order_groups(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the groups of each class in the order of the numbers in their names.

    Groups follow each other by the numbers of their first image, among groups whose names have the same form; a form
    that fewer than 20 groups of a class have gives no order.

    Args:
        rows: path, label and group of images.

    Returns:
        label, form, group and the path of its first image, one row per group of a class, in order; no row for groups
        without an order.
    """
    places = [name_place(path, label) for path, label in zip(rows["path"], rows["label"], strict=True)]
    named = rows[["label", "group", "path"]].assign(
        form=[form for form, _ in places], numbers=[numbers for _, numbers in places]
    )
    numbered = named[named["numbers"].map(bool)].sort_values(["label", "form", "numbers"])
    first = numbered.drop_duplicates(["label", "group"])
    is_usual = first.groupby(["label", "form"])["group"].transform("size") >= LEAST_GROUPS
    return first.loc[is_usual, ["label", "form", "group", "path"]].reset_index(drop=True)
