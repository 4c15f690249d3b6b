"""Figures of the imbalance pipeline."""

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.images.layout import SPLITS
from pneumonia.report.style import NEGATIVE, POSITIVE, new_figure
from pneumonia.report.words import say_count, say_percent


def draw_class_balance(class_counts: pd.DataFrame, class_weights: dict[str, float]) -> Figure:
    """Draw the images of each class in each split, with the weight of each class.

    Args:
        class_counts: Columns split, label, target, images, groups, share.
        class_weights: Weight of a training image, by label.
    """
    figure, axes = new_figure(7.2, 3.2)
    splits = [split for split in SPLITS if split in set(class_counts["split"])]
    counted = class_counts.groupby(["split", "label", "target"], as_index=False)[["images", "groups", "share"]].sum()
    is_by_image = counted["images"].equals(counted["groups"])
    for target, rows in counted.groupby("target"):
        label = str(rows["label"].iloc[0])
        rows = rows.set_index("split").reindex(splits)
        positions = [index + (0.19 if target else -0.19) for index in range(len(splits))]
        bars = axes.barh(
            positions,
            rows["images"].fillna(0),
            height=0.36,
            color=POSITIVE if target else NEGATIVE,
            label=f"{label}, weight {_say_weights(label, class_weights)}",
        )
        axes.bar_label(
            bars,
            [
                f"{int(n):,} ({say_percent(share, 0)})" + ("" if is_by_image else f", {say_count(int(g), 'group')}")
                for n, share, g in rows[["images", "share", "groups"]].fillna(0).to_numpy()
            ],
            padding=4,
            fontsize=8,
        )
    axes.set_yticks(range(len(splits)), splits)
    axes.invert_yaxis()
    axes.margins(x=0.3)
    axes.set_xlabel("images")
    axes.legend(loc="lower right")
    axes.set_title("Images per split and class")
    return figure


def _say_weights(label: str, class_weights: dict[str, float]) -> str:
    """Return the weight of a class, or the lowest and highest of several sites."""
    weights = [weight for cell, weight in class_weights.items() if cell == label or cell.endswith(f": {label}")]
    return " to ".join(f"{weight:.2f}" for weight in dict.fromkeys((min(weights), max(weights))))
