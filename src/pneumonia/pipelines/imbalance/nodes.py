"""Nodes of the imbalance pipeline."""

import pandas as pd

from pneumonia.annotations import Figure
from pneumonia.parameters import ImbalanceParameters

SPLITS = ("train", "val", "test")


def count_classes(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Count images and groups of each class in each split.

    Args:
        split_manifest: One row an image, with split, label, target and group.

    Returns:
        Columns split, label, target, images, groups and share (of the split's images), by split and target.
    """
    counts = (
        split_manifest.groupby(["split", "label", "target"])
        .agg(images=("group", "size"), groups=("group", "nunique"))
        .reset_index()
    )
    counts["share"] = (counts["images"] / counts.groupby("split")["images"].transform("sum")).round(4)
    counts["split"] = pd.Categorical(counts["split"], SPLITS, ordered=True)
    return counts.sort_values(["split", "target"], ignore_index=True).astype({"split": str})


def weigh_classes(class_counts: pd.DataFrame, parameters: ImbalanceParameters) -> dict[str, float]:
    """Weigh each class in inverse proportion to its number of training images.

    The weight of class c is ``n / (2 n_c)``, so that both classes weigh the same in sum and the mean weight
    of a training image is 1. With 100 images of NORMAL and 300 of PNEUMONIA: 2.0 and 0.6667.

    Args:
        class_counts: Columns split, label, images.
        parameters: ``treatment`` "none" gives both classes the weight 1.

    Returns:
        Weight by label.
    """
    train = class_counts[class_counts["split"] == "train"].set_index("label")["images"]
    if parameters.treatment == "none":
        return {str(label): 1.0 for label in train.index}
    return {str(label): float(train.sum() / (2 * n)) for label, n in train.items()}


def draw_class_balance(class_counts: pd.DataFrame, class_weights: dict[str, float]) -> Figure:
    """Draw the images of each class in each split, with the weight of each class.

    Args:
        class_counts: Columns split, label, target, images, groups, share.
        class_weights: Weight of a training image, by label.
    """
    from pneumonia.figures import NEGATIVE, POSITIVE, new_figure

    figure, axes = new_figure(7.2, 3.2)
    splits = [split for split in SPLITS if split in set(class_counts["split"])]
    for target, rows in class_counts.groupby("target"):
        label = str(rows["label"].iloc[0])
        rows = rows.set_index("split").reindex(splits)
        positions = [index + (0.19 if target else -0.19) for index in range(len(splits))]
        bars = axes.barh(
            positions,
            rows["images"].fillna(0),
            height=0.36,
            color=POSITIVE if target else NEGATIVE,
            label=f"{label}, weight {class_weights[label]:.2f}",
        )
        axes.bar_label(
            bars,
            [
                f"{int(n):,} ({share:.0%}), {int(g):,} groups"
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
