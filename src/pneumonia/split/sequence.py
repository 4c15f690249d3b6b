"""The order of groups by the numbers in the names of their images: near numbers are often of one time or one device."""

import re

import pandas as pd

from pneumonia.images.layout import SPLITS

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
        label, form and group, one row per group of a class, in order; no row for groups without an order.
    """
    places = [name_place(path, label) for path, label in zip(rows["path"], rows["label"], strict=True)]
    named = rows[["label", "group"]].assign(
        form=[form for form, _ in places], numbers=[numbers for _, numbers in places]
    )
    numbered = named[named["numbers"].map(bool)].sort_values(["label", "form", "numbers"])
    first = numbered.drop_duplicates(["label", "group"])
    is_usual = first.groupby(["label", "form"])["group"].transform("size") >= LEAST_GROUPS
    return first.loc[is_usual, ["label", "form", "group"]].reset_index(drop=True)
