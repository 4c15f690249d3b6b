"""How many groups and images stand on both sides of a split."""

from enum import StrEnum
from itertools import combinations

import pandas as pd

from pneumonia.base.parameters import IngestParameters
from pneumonia.images.index import DUPLICATE, OK
from pneumonia.images.layout import SPLITS
from pneumonia.split.choose import draw_order

COLUMNS = ("split_by", "sides", "unit", "on_both_sides", "images", "of_images", "share")


class SplitBy(StrEnum):
    """Which split of the images was counted."""

    IMAGE = "image"
    MANIFEST = "manifest"
    FOLDERS = "folders"


SPLIT_LABELS = {
    SplitBy.IMAGE: "images, at random",
    SplitBy.MANIFEST: "this run",
    SplitBy.FOLDERS: "the source's folders",
}


def audit_leaks(index: pd.DataFrame, manifest: pd.DataFrame, parameters: IngestParameters) -> pd.DataFrame:
    """Count what three splits have on both sides, always by the index's groups and by the bytes' hash.

    `SplitBy.IMAGE` is the usual split of the pooled train and val folders, image by image, copies included, at
    `val_fraction`: drawn by the seed. `SplitBy.MANIFEST` is this run's, `SplitBy.FOLDERS` the source's own.

    Returns:
        The columns `COLUMNS`: `on_both_sides` is the number of groups or hashes that both sides hold, `images` the
        number of images of the second side that hold one of those, `of_images` the size of the second side, and
        `share` their ratio.
    """
    usable = index[index["status"].isin([OK, DUPLICATE])]
    pool = usable[usable["source_split"] != "test"]
    order = [draw_order(path, parameters.seed) for path in pool["path"]]
    ranks = pd.Series(order, index=pool.index, dtype=str).rank(method="first")
    image_level = pool.assign(
        split=ranks.le(round(parameters.val_fraction * len(pool))).map({True: "val", False: "train"})
    )
    ours = usable.merge(manifest[["path", "split"]], on="path")
    published = usable.assign(split=usable["source_split"])
    rows = [
        row
        for name, images in ((SplitBy.IMAGE, image_level), (SplitBy.MANIFEST, ours), (SplitBy.FOLDERS, published))
        for row in _count_shared(name, images)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sides_of(first: str, second: str) -> str:
    """Return how the audit calls a pair of splits."""
    return f"{first} and {second}"


def _count_shared(name: SplitBy, images: pd.DataFrame) -> list[tuple[SplitBy, str, str, int, int, int, float]]:
    """Count what each two sides of a split share."""
    rows = []
    sides = {split: images[images["split"] == split] for split in SPLITS}
    for (first_name, first), (second_name, second) in combinations(sides.items(), 2):
        if first.empty or second.empty:
            continue
        for unit, column in (("group", "group"), ("hash", "sha256")):
            is_shared = second[column].isin(set(first[column]))
            count = int(is_shared.sum())
            shared = int(second.loc[is_shared, column].nunique())
            rows.append(
                (
                    name,
                    sides_of(first_name, second_name),
                    unit,
                    shared,
                    count,
                    len(second),
                    round(count / len(second), 4),
                )
            )
    return rows
