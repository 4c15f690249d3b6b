"""Exact copies among the images, and copies that contradict each other."""

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.images.status import COPY_OF, DUPLICATE, OK

# How many pairs or paths an error message shows.
_SHOWN = 20


def mark_duplicates(index: pd.DataFrame) -> pd.DataFrame:
    """Keep one of several identical files: the one in test, or else the first by path.

    Returns:
        The index, with status "duplicate" and the path of the kept file as the reason of the others.

    Raises:
        UserError: If the same bytes occur under both labels.
    """
    usable = index[index["status"] == OK]
    ordered = usable.assign(in_test=usable["source_split"] == "test").sort_values(
        ["in_test", "path"], ascending=[False, True], kind="stable"
    )
    kept = ordered.groupby("sha256", sort=False)["path"].transform("first")
    _refuse_two_labels(ordered)
    surplus = kept[kept != ordered["path"]]
    marked = index.copy()
    marked.loc[surplus.index, "status"] = DUPLICATE
    marked.loc[surplus.index, "reason"] = COPY_OF + surplus
    return marked


def _refuse_two_labels(ordered: pd.DataFrame) -> None:
    first = ordered.groupby("sha256", sort=False)[["path", "label"]].transform("first")
    contradicting = ordered[first["label"] != ordered["label"]]
    if len(contradicting):
        pairs = first.loc[contradicting.index, "path"] + " = " + contradicting["path"]
        raise UserError(
            f"{len(pairs):,} images occur under both labels, byte for byte: {shorten(pairs)}. Only the source of the "
            "images can tell which label is right: remove one or both of each pair."
        )


def shorten(lines: pd.Series) -> str:
    """Return the first lines, and how many more there are."""
    shown = ", ".join(lines.head(_SHOWN))
    return shown if len(lines) <= _SHOWN else f"{shown} and {len(lines) - _SHOWN:,} more"
