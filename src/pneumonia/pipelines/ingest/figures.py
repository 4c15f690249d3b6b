"""Figures of the ingest pipeline."""

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.images.layout import SPLITS
from pneumonia.split.summary import ALL


def draw_split(split_table: pd.DataFrame) -> Figure:
    """Draw the images of every split, and how far val is from its target share.

    Args:
        split_table: As `tabulate_split` returns it.
    """
    from pneumonia.report.style import SERIES, SPLIT_COLOURS, new_figure, row_axes

    leaves, strata = _leaves(split_table), split_table[split_table["split"] == "val"]
    figure, (left, right) = new_figure(9.6, 3.6, columns=2, width_ratios=(3, 2))
    start = pd.Series(0, index=list(SPLITS))
    for colour, ((label, etiology), rows) in zip(
        SERIES, leaves.groupby(["label", "etiology"], sort=False), strict=False
    ):
        counts = rows.set_index("split").reindex(SPLITS)
        name = label if etiology == ALL else f"{label}, {etiology}"
        left.barh(range(len(SPLITS)), counts["images"], left=start.to_numpy(), height=0.6, color=colour, label=name)
        start = start + counts["images"]
    groups = split_table[split_table["label"] == ALL].set_index("split")["groups"]
    for row, split in enumerate(SPLITS):
        left.annotate(
            f" {start[split]:,} images, {groups[split]:,} groups", (start[split], row), va="center", fontsize=8.5
        )
    row_axes(left, SPLITS)
    left.margins(x=0.45)
    left.set_title("Images per split")
    left.legend(loc="lower right")
    names = [
        "all" if row.label == ALL else row.label if row.etiology == ALL else row.etiology for row in strata.itertuples()
    ]
    right.axvspan(-1, 1, color=SPLIT_COLOURS["val"], alpha=0.12, linewidth=0)
    right.plot(strata["points_off"], range(len(names)), "o", color=SPLIT_COLOURS["val"])
    row_axes(right, names)
    limit = 1.25 * max(1.0, strata["points_off"].abs().max())
    right.set_xlim(-limit, limit)
    right.set_xlabel("percentage points (band: 1 point)")
    right.set_title(f"Val: deviation from {strata['demanded'].iloc[0]:.0%}")
    return figure


def _leaves(split_table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that add up to all images: the finest stratum of every class."""
    rows = split_table[split_table["label"] != ALL]
    finest = rows.groupby("label")["etiology"].transform(lambda names: len(set(names)) > 1)
    return rows[~finest | (rows["etiology"] != ALL)]
