"""Nodes of the imbalance pipeline."""

import pandas as pd

from pneumonia.base.parameters import ImbalanceParameters
from pneumonia.split import classes


def count_classes(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Count images and groups of each class in each split."""
    return classes.count_classes(split_manifest)


def weigh_classes(class_counts: pd.DataFrame, parameters: ImbalanceParameters) -> dict[str, float]:
    """Weight each class in inverse proportion to its number of training images."""
    return classes.weigh_classes(class_counts, parameters)
