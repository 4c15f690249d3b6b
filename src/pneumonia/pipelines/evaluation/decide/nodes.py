"""Nodes that turn scores into decisions. Everything is fitted only on the validation rows."""

from typing import Any

import pandas as pd

from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics import decisions


def make_decision(
    scores: pd.DataFrame, model_lineage: dict[str, Any], parameters: EvaluationParameters
) -> dict[str, Any]:
    """Fit the calibration and choose the threshold, only on validation; record to which model they belong."""
    weights = model_lineage.get("weights_sha256", "unknown")  # missing from lineages of older runs
    return {"weights_sha256": weights, **decisions.make_decision(scores, parameters)}


def apply_decision(scores: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Calibrate the scores and decide."""
    return decisions.apply_decision(scores, decision)
