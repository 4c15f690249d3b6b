"""How many images of each class a split has, and what each class then weighs."""

import pandas as pd

from pneumonia.base.parameters import ImbalanceParameters
from pneumonia.images.layout import SPLITS


def count_classes(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Count images and groups of each class in each split.

    Args:
        split_manifest: One row per image, with split, label, target and group.

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
