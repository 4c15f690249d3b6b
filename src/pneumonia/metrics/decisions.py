"""The decision: a calibration of the network's probability, if any, and a threshold on the calibrated probability.

Both are chosen on validation. What is reported is on one scale: an image is called positive if its probability is at or
above the threshold.
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.calibration import Calibration, apply_calibration, fit_calibration
from pneumonia.metrics.registry import Estimate, Targets

CALIBRATED = "calibrated"  # the probability that is reported; the network's own where nothing was calibrated
ROUNDING = 1e-12  # rates closer than this are equal: 1 - 7 / 100 is less than 0.93


class Threshold(TypedDict):
    """A threshold, the rule that chose it and the rule's number: None for one that has none."""

    threshold: float
    rule: str
    rule_value: float | None


class FittedOn(TypedDict):
    """The images on which a decision was fitted: a split of the model's own, or those of a place."""

    n: int
    n_groups: int
    split: NotRequired[str]
    place: NotRequired[str]
    n_positive: NotRequired[int]


class Rule(TypedDict):
    """How a network's probability becomes a decision."""

    threshold: float
    calibration: Calibration


class Decision(Rule):
    """The record of `make_decision`; one of a place also has its name and its rates from cross-fitting."""

    weights_sha256: str
    rule: str
    rule_value: float | None
    threshold_on: NotRequired[str]
    fitted_on: FittedOn
    rules: list[dict[str, Any]]
    place: NotRequired[str]
    sensitivity: NotRequired[Estimate]
    specificity: NotRequired[Estimate]


def make_decision(scores: pd.DataFrame, model_lineage: Mapping[str, Any], parameters: EvaluationParameters) -> Decision:
    """Fit the calibration, then choose the threshold, only on validation; record to which model they belong.

    Args:
        scores: path, group, target, split and the network's own probability; rows of other splits are not used.
        model_lineage: What the model was made from.
        parameters: `calibration`, `threshold_rule` and the rule's number.

    Returns:
        `weights_sha256` of the model, `threshold` on the probability that is `threshold_on` ("calibrated"), `rule`,
        `rule_value`, `calibration`, `fitted_on`, and `rules`: what every rule would have chosen.

    Raises:
        UserError: If validation lacks a class.
    """
    val = scores[scores["split"] == "val"]
    if val["target"].nunique() < 2:
        raise UserError(
            "All validation images are of one class, so no threshold or metric can be computed from them. "
            "Raise ingest.val_fraction."
        )
    target, own = val["target"].to_numpy(), val["probability"].to_numpy()
    calibration = fit_calibration(own, target, parameters.calibration)
    probability = apply_calibration(own, calibration)
    chosen = choose_threshold(probability, target, parameters)
    fitted_on: FittedOn = {"split": "val", "n": len(val), "n_groups": int(val["group"].nunique())}
    return {
        "weights_sha256": model_lineage.get("weights_sha256", "unknown"),  # missing from lineages of older runs
        **chosen,
        "threshold_on": CALIBRATED,
        "calibration": calibration,
        "fitted_on": fitted_on,
        "rules": compare_rules(probability, target, parameters),
    }


def decide(scores: pd.DataFrame, decision: Rule) -> pd.DataFrame:
    """Calibrate and decide.

    Args:
        scores: Has the network's own `probability`.
        decision: Calibration and threshold.

    Returns:
        The scores with the reported `probability` instead, and `decision` (1: positive).
    """
    probability = apply_calibration(scores["probability"].to_numpy(), decision["calibration"])
    decided = (probability >= decision["threshold"]).astype(np.int64)
    return scores.assign(probability=probability, decision=decided)


def on_one_scale(decision: Decision) -> Decision:
    """Return a decision whose threshold is on the probability that is reported.

    Earlier releases decided on the network's own probability and calibrated another one for show: such a record keeps
    its threshold and its decisions, and reports the probability on which they were made.
    """
    if decision.get("threshold_on") == CALIBRATED:
        return decision
    calibration: Calibration = {"method": "none", "prevalence": decision["calibration"]["prevalence"]}
    return {**decision, "threshold_on": CALIBRATED, "calibration": calibration}


def threshold_candidates(probability: Floats, target: Targets) -> dict[str, npt.NDArray]:
    """List every threshold that makes a difference, with what it does to the sample.

    Candidates lie midway between neighbouring scores, so that none sits on an image, with 0 (all images
    positive) and the next number after 1 (none) at the ends.

    Args:
        probability: Probability of the positive class, `[n]`.
        target: True class, 0 or 1, `[n]`.

    Returns:
        `threshold` in ascending order, `sensitivity`, `specificity`, `misses` and `false_alarms`.
    """
    scores = np.unique(probability)
    threshold = np.r_[0.0, (scores[1:] + scores[:-1]) / 2, np.nextafter(1.0, 2.0)]
    positives, negatives = np.sort(probability[target == 1]), np.sort(probability[target == 0])
    misses = np.searchsorted(positives, threshold)
    false_alarms = len(negatives) - np.searchsorted(negatives, threshold)
    return {
        "threshold": threshold,
        "sensitivity": 1 - misses / len(positives),
        "specificity": 1 - false_alarms / len(negatives),
        "misses": misses,
        "false_alarms": false_alarms,
    }


def choose_threshold(probability: Floats, target: Targets, parameters: EvaluationParameters) -> Threshold:
    """Choose the threshold by the rule of the parameters; of equally good ones, the nearest to 0.5.

    Args:
        probability: The reported probability of the positive class, `[n]`.
        target: True class, 0 or 1, `[n]`.
        parameters: `threshold_rule` and the number that it needs.

    Returns:
        `threshold`, `rule`, and `rule_value` (the rule's number; None for Youden's, which has none).
    """
    table = threshold_candidates(probability, target)
    threshold, sensitivity, specificity = (table[k] for k in ("threshold", "sensitivity", "specificity"))
    value: float | None = None
    match parameters.threshold_rule:
        case "fixed":
            chosen = value = parameters.fixed_threshold
        case "sensitivity_floor":
            value = parameters.sensitivity_floor
            chosen = float(threshold[sensitivity >= value - ROUNDING].max())
        case "specificity_floor":
            value = parameters.specificity_floor
            chosen = float(threshold[specificity >= value - ROUNDING].min())
        case "youden":
            chosen = _nearest_best(threshold, sensitivity + specificity)
        case "cost_ratio":
            value = parameters.cost_ratio
            chosen = _nearest_best(threshold, -(value * table["misses"] + table["false_alarms"]))
    return {"threshold": chosen, "rule": parameters.threshold_rule, "rule_value": value}


def compare_rules(probability: Floats, target: Targets, parameters: EvaluationParameters) -> list[dict[str, Any]]:
    """Apply every rule to the sample, with the numbers of the parameters.

    Returns:
        `rule`, `rule_value`, `threshold`, and the `sensitivity` and `specificity` that it has on the sample.
    """
    rows = []
    for rule in get_args(EvaluationParameters.model_fields["threshold_rule"].annotation):
        chosen = choose_threshold(probability, target, parameters.model_copy(update={"threshold_rule": rule}))
        called = probability >= chosen["threshold"]
        rates = {"sensitivity": called[target == 1].mean(), "specificity": (~called[target == 0]).mean()}
        rows.append({**chosen, **{name: float(rate) for name, rate in rates.items()}})
    return rows


def _nearest_best(threshold: Floats, gain: Floats) -> float:
    """Return the threshold of the largest gain; of several, the nearest to 0.5."""
    best = threshold[gain >= gain.max() - ROUNDING]
    return float(best[np.abs(best - 0.5).argmin()])
