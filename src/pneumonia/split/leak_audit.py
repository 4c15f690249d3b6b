"""How many groups and images stand on both sides of a split."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.parameters import IngestParameters
from pneumonia.base.text import Labelled
from pneumonia.images.grouping import split_key
from pneumonia.images.layout import SPLITS
from pneumonia.images.status import DUPLICATE, OK
from pneumonia.split.choose import draw_order

LEAK_COLUMNS = ("split_by", "sides", "unit", "on_both_sides", "images", "of_images", "share")


class SplitBy(Labelled):
    """Which split of the images was counted."""

    IMAGE = "image", "images, at random"
    MANIFEST = "manifest", "this run"
    FOLDERS = "folders", "the source's folders"


class Unit(Labelled):
    """What was counted on both sides. `NUMBER` joins strangers: it is a bound, not a leak that is known."""

    GROUP = "group", "groups"
    HASH = "hash", "identical files"
    NEAR = "near", "pairs of near-duplicates"
    NUMBER = "number", "numbers in file names, whatever the etiology"


def audit_leaks(
    index: pd.DataFrame, manifest: pd.DataFrame, near_duplicates: pd.DataFrame, parameters: IngestParameters
) -> pd.DataFrame:
    """Count what three splits have on both sides: groups of the index, hashes, near-duplicates, bare numbers.

    `SplitBy.IMAGE` is the usual split of the pooled train and val folders, image by image, copies included, at
    `val_fraction`: drawn by the seed. `SplitBy.MANIFEST` is this run's, `SplitBy.FOLDERS` the source's own.

    Returns:
        `LEAK_COLUMNS`: `on_both_sides` is the number of groups, hashes or numbers that both sides hold, or of
        pairs of near-duplicates that they part; `images` the number of images of the second side that hold one of
        those, `of_images` the size of the second side, and `share` their ratio.
    """
    usable = index.loc[index["status"].isin([OK, DUPLICATE]), ["path", "group", "sha256", "source_split"]]
    usable = usable.assign(
        number=[
            split_key(path, group, "number", parameters.group_patterns)
            for path, group in zip(usable["path"], usable["group"], strict=True)
        ]
    )
    pool = (usable["source_split"] != "test").to_numpy()
    splits = {
        SplitBy.IMAGE: _split_by_image(usable.loc[pool, "path"], parameters),
        SplitBy.MANIFEST: usable["path"].map(manifest.set_index("path")["split"]),
        SplitBy.FOLDERS: usable["source_split"],
    }
    rows = [row for name, split in splits.items() for row in _count_shared(name, usable, split, near_duplicates)]
    return pd.DataFrame(rows, columns=list(LEAK_COLUMNS))


def _split_by_image(paths: pd.Series, parameters: IngestParameters) -> pd.Series:
    """Draw the usual split, image by image: train or val, with the index of the paths."""
    order = sorted(range(len(paths)), key=[draw_order(path, parameters.seed) for path in paths].__getitem__)
    split = np.full(len(paths), "train", dtype=object)
    split[order[: round(parameters.val_fraction * len(paths))]] = "val"
    return pd.Series(split, index=paths.index)


def sides_of(first: str, second: str) -> str:
    """Return how the audit calls a pair of splits."""
    return f"{first} and {second}"


def _count_shared(
    name: SplitBy, images: pd.DataFrame, split: pd.Series, near_duplicates: pd.DataFrame
) -> list[tuple[Any, ...]]:
    """Count what each two sides of a split share. `split` is by index of the images; some may be in none."""
    rows = []
    sides = {side: images.loc[split.index[split == side]] for side in SPLITS}
    for (first_name, first), (second_name, second) in combinations(sides.items(), 2):
        if first.empty or second.empty:
            continue
        counts = {
            Unit.GROUP: _count_common(first["group"], second["group"]),
            Unit.HASH: _count_common(first["sha256"], second["sha256"]),
            Unit.NEAR: _count_parted(set(first["path"]), set(second["path"]), near_duplicates),
            Unit.NUMBER: _count_common(first["number"], second["number"]),
        }
        for unit, (shared, count) in counts.items():
            share = round(count / len(second), 4)
            rows.append((name, sides_of(first_name, second_name), unit, shared, count, len(second), share))
    return rows


def _count_common(first: pd.Series, second: pd.Series) -> tuple[int, int]:
    """Return how many values both sides hold, and how many rows of the second side."""
    is_common = second.isin(set(first))
    return int(second[is_common].nunique()), int(is_common.sum())


def _count_parted(first: set[str], second: set[str], near_duplicates: pd.DataFrame) -> tuple[int, int]:
    """Return how many pairs of near-duplicates lie on both sides, and how many images of the second side they hold."""
    pairs = zip(near_duplicates["path_a"], near_duplicates["path_b"], strict=True)
    parted = [
        one if one in second else other
        for one, other in pairs
        if (one in first and other in second) or (one in second and other in first)
    ]
    return len(parted), len(set(parted))
