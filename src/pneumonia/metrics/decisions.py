"""The decision: a calibration and a threshold, both chosen on validation, applied to any scores."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.calibration import apply_calibration, fit_calibration
from pneumonia.metrics.thresholds import choose_threshold, compare_rules


def make_decision(scores: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, Any]:
    """Fit the calibration and choose the threshold, on validation alone.

    Args:
        scores: path, group, target, split and probability; rows of other splits are not looked at.
        parameters: `calibration`, `threshold_rule` and the rule's number.

    Returns:
        `threshold` on the calibrated probability, `rule`, `rule_value`, `scale`, `calibration`, `fitted_on`, and
        `rules`: what every rule would have chosen.

    Raises:
        UserError: If validation lacks a class.
    """
    val = scores[scores["split"] == "val"]
    if val["target"].nunique() < 2:
        raise UserError(
            "The validation images are all of one class: no threshold and no metric can be had from them. "
            "Raise ingest.val_fraction."
        )
    target, probability = val["target"].to_numpy(), val["probability"].to_numpy()
    calibration = fit_calibration(probability, target, parameters.calibration)
    calibrated = apply_calibration(probability, calibration)
    chosen = choose_threshold(calibrated, target, parameters)
    fitted_on = {"split": "val", "n": len(val), "n_groups": int(val["group"].nunique())}
    return {
        **chosen,
        "scale": "calibrated_probability",
        "calibration": calibration,
        "fitted_on": fitted_on,
        "rules": compare_rules(calibrated, target, parameters),
    }


def apply_decision(scores: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Calibrate and decide.

    Args:
        scores: Has the network's `probability`.
        decision: The record of `make_decision`.

    Returns:
        The scores with `calibrated_probability` and `decision` (1: positive).
    """
    calibrated = apply_calibration(scores["probability"].to_numpy(), decision["calibration"])
    decided = (calibrated >= decision["threshold"]).astype(np.int64)
    return scores.assign(calibrated_probability=calibrated, decision=decided)
