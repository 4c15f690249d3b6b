"""Nodes that measure the decisions."""

from typing import Any

import pandas as pd

from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics import etiologies, prevalence, strata, subgroups, summary, units


def compute_metrics(
    predictions: pd.DataFrame, decision: dict[str, Any], parameters: EvaluationParameters
) -> dict[str, Any]:
    """Compute each metric of validation and test with its 95% interval."""
    return summary.compute_metrics(predictions, decision, parameters)


def tabulate_metrics(metrics: dict[str, Any]) -> pd.DataFrame:
    """Put the metrics in a table."""
    return summary.tabulate_metrics(metrics)


def measure_subgroups(predictions: pd.DataFrame) -> pd.DataFrame:
    """Measure sensitivity by etiology, and specificity, on validation and test."""
    return subgroups.measure_subgroups(predictions)


def count_etiologies(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count which etiology the network finds most likely in positive images, by the recorded one."""
    return etiologies.count_etiologies(predictions)


def measure_units(
    predictions: pd.DataFrame,
    split_manifest: pd.DataFrame,
    duplicate_images: pd.DataFrame,
    decision: dict[str, Any],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Compute the metrics of test per group, and over all files of the source's test folder."""
    return units.measure_units(predictions, split_manifest, duplicate_images, decision, parameters)


def measure_strata(predictions: pd.DataFrame, split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Measure the network on parts of test: by etiology, file size, aspect and stored mode."""
    return strata.measure_strata(predictions, split_manifest)


def tabulate_prevalences(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute predictive values, and what becomes of 1,000 images, over a range of prevalences."""
    return prevalence.tabulate_prevalences(predictions)
