"""Nodes that measure the decisions."""

from typing import Any

import pandas as pd

from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics import subgroups, summary


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
