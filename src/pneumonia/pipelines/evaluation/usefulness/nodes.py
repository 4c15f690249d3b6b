"""Nodes that transfer the decisions to other prevalences."""

from typing import Any

import pandas as pd

from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics import usefulness


def tabulate_shifts(decision: dict[str, Any], parameters: EvaluationParameters) -> pd.DataFrame:
    """Convert calibrated probabilities to other shares of positive images."""
    return usefulness.tabulate_shifts(decision, parameters)


def trace_decision_curve(
    predictions: pd.DataFrame, decision: dict[str, Any], parameters: EvaluationParameters
) -> pd.DataFrame:
    """Trace the net benefit on test at the set prevalence."""
    return usefulness.trace_decision_curve(predictions, decision, parameters)
