"""The decision: a threshold and, for the reported probability, a calibration. Both are chosen on validation."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.calibration import apply_calibration, fit_calibration
from pneumonia.metrics.thresholds import choose_threshold, compare_rules


def make_decision(scores: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, Any]:
    """Fit the calibration and choose the threshold, only on validation.

    Args:
        scores: path, group, target, split and probability; rows of other splits are not used.
        parameters: `calibration`, `threshold_rule` and the rule's number.

    Returns:
        `threshold` on the network's probability, `rule`, `rule_value`, `calibration`, `fitted_on`, and
        `rules`: what every rule would have chosen.

    Raises:
        UserError: If validation lacks a class.
    """
    val = scores[scores["split"] == "val"]
    if val["target"].nunique() < 2:
        raise UserError(
            "All validation images are of one class, so no threshold or metric can be computed from them. "
            "Raise ingest.val_fraction."
        )
    target, probability = val["target"].to_numpy(), val["probability"].to_numpy()
    calibration = fit_calibration(probability, target, parameters.calibration)
    chosen = choose_threshold(probability, target, parameters)
    fitted_on = {"split": "val", "n": len(val), "n_groups": int(val["group"].nunique())}
    return {
        **chosen,
        "calibration": calibration,
        "fitted_on": fitted_on,
        "rules": compare_rules(probability, target, parameters),
    }


def apply_decision(scores: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Calibrate and decide; the decision uses the network's own probability, not the calibrated one.

    Args:
        scores: Has the network's `probability`.
        decision: The record of `make_decision`.

    Returns:
        The scores with `calibrated_probability` and `decision` (1: positive).
    """
    probability = scores["probability"].to_numpy()
    calibrated = apply_calibration(probability, decision["calibration"])
    decided = (probability >= decision["threshold"]).astype(np.int64)
    return scores.assign(calibrated_probability=calibrated, decision=decided)
