"""Folds of images, with every group in one of them."""

import pandas as pd

from pneumonia.base.errors import UserError

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


def fold_of_manifest(split_manifest: pd.DataFrame, folds: int, fold: int, seed: int) -> pd.DataFrame:
    """Return the manifest with one fold of train and val as val and the other folds as train; test stays as it is.

    Args:
        split_manifest: One row per image.
        folds: How many; 1: the manifest as it is.
        fold: Which, from 1.
        seed: Of the folds.
    """
    if folds == 1:
        return split_manifest
    seen = split_manifest[split_manifest["split"] != "test"]
    _, val = grouped_folds(seen, folds, seed, "study.folds")[fold - 1]
    split = split_manifest["split"].where(split_manifest["split"] == "test", "train")
    return split_manifest.assign(split=split.mask(split_manifest.index.isin(val.index), "val"))
