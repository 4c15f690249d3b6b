"""The value of the decisions elsewhere: at other prevalences, and in the decision curve."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.auc import BAND_RESAMPLES
from pneumonia.metrics.calibration import at_prevalence
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.groups import resample_groups
from pneumonia.metrics.intervals import estimate_both_rates, estimate_decisions
from pneumonia.metrics.registry import METRICS, in_columns
from pneumonia.metrics.summary import columns_of

PREVALENCES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
PER = 1000
SAID = (10, 50, 90)  # percent: calibrated probabilities that are moved to each prevalence
RISKS = np.round(np.arange(0.01, 0.81, 0.01), 2)  # thresholds of the decision curve


def tabulate_prevalences(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute predictive values, and what becomes of 1,000 images, over a range of prevalences.

    Sensitivity and specificity are those of test, taken as the same at every prevalence. That is an assumption: where
    fewer are ill, the ill are often less ill (spectrum).

    Args:
        predictions: One row per image of validation and test.

    Returns:
        prevalence; ppv and npv with `_low` and `_high`; and of 1,000 images, in tenths that add up: found, missed,
        false_alarms, cleared. A gap where no image is called so.
    """
    test = predictions[predictions["split"] == "test"]
    rates = estimate_both_rates(*(test[name].to_numpy() for name in ("target", "decision", "group")))
    share = float(test["target"].mean())
    rows = []
    for prevalence in PREVALENCES:
        row: dict[str, float | None] = {"prevalence": prevalence}
        for name, metric in (("ppv", "precision_at_prevalence"), ("npv", "npv_at_prevalence")):
            estimate = estimate_decisions(METRICS[metric], rates, share, prevalence)
            row |= in_columns(estimate, name)
        sensitivity, specificity = (rate["value"] or 0.0 for rate in rates[0])
        rows.append({**row, **of_thousand(prevalence, sensitivity, specificity)})
    return pd.DataFrame(rows)


def of_thousand(prevalence: float, sensitivity: float, specificity: float) -> dict[str, float]:
    """Return what becomes of 1,000 images, in tenths that add up: in whole numbers a rare miss would read as none.

    At a prevalence of 0.1, sensitivity 0.94 and specificity 0.8, of 100 positives 94 are found and 6 missed, of 900
    negatives 180 are false alarms and 720 cleared.
    """
    positives = round(PER * prevalence)
    found, cleared = round(positives * sensitivity, 1), round((PER - positives) * specificity, 1)
    return {
        "found": found,
        "missed": round(positives - found, 1),
        "false_alarms": round(PER - positives - cleared, 1),
        "cleared": cleared,
    }


def tabulate_shifts(decision: Decision, parameters: EvaluationParameters) -> pd.DataFrame:
    """Convert calibrated probabilities to other shares of positive images.

    Args:
        decision: Its calibration names validation's prevalence.
        parameters: `prevalence`, which gets a row of its own.

    Returns:
        One row per `prevalence`: `from_10`, `from_50` and `from_90` are what 10, 50 and 90% become there.
    """
    prevalences = sorted({*PREVALENCES, parameters.prevalence})
    own = decision["calibration"]["prevalence"]
    moved = [at_prevalence(np.array(SAID) / 100, share, own) for share in prevalences]
    table = pd.DataFrame(moved, columns=[f"from_{said}" for said in SAID])
    table.insert(0, "prevalence", prevalences)
    return table


def net_benefit(target: npt.NDArray, called: npt.NDArray, prevalence: float, weights: Floats) -> Floats:
    """Return the net benefit of calling images positive at each risk, per image.

    `p se - (1 - p)(1 - sp) t / (1 - t)` with the prevalence `p` and the risk `t` from which a person would treat: true
    positives minus false ones, each false one counting `t / (1 - t)` (Vickers and Elkin, Med. Decis. Making 26, 2006).

    Args:
        target: True class, 0 or 1, `[n]`.
        called: Whether each image is called positive at each of `RISKS`, `[n, 80]`.
        prevalence: `p`.
        weights: Of each image in each resample, `[b, n]`.

    Returns:
        `[b, 80]`; NaN where a resample lacks a class.
    """
    hits, alarms = (
        (weights * (target == one)) @ called / (weights @ (target == one).astype(float))[:, None] for one in (1, 0)
    )
    return prevalence * hits - (1 - prevalence) * alarms * RISKS / (1 - RISKS)


def trace_decision_curve(
    predictions: pd.DataFrame, decision: Decision, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Trace the net benefit on test at the set prevalence, against calling every image positive, and none (0).

    Args:
        predictions: One row per image.
        decision: Its calibration names validation's prevalence.
        parameters: `prevalence`, `seed`.

    Returns:
        One row per risk: `risk`, `net_benefit` of calling positive what has at least that probability at the set
        prevalence, `low` and `high` (95% of resamples of the groups), `as_decided` (the decisions as they are), and
        `treat_all`. The first three are gaps without calibration: only calibrated probabilities can be moved to a
        prevalence.
    """
    columns, prevalence = columns_of(predictions, "test"), parameters.prevalence
    target, ones = columns["target"], np.ones((1, len(columns["target"])))
    by_probability: dict[str, Any] = dict.fromkeys(("net_benefit", "low", "high"), np.nan)
    if decision["calibration"]["method"] != "none":
        moved = at_prevalence(columns["probability"], prevalence, decision["calibration"]["prevalence"])
        called = (moved[:, None] >= RISKS).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            resamples = [
                net_benefit(target, called, prevalence, weights)
                for weights in resample_groups(columns["group"], BAND_RESAMPLES, parameters.seed)
            ]
        low, high = np.nanquantile(np.concatenate(resamples), [0.025, 0.975], axis=0)
        by_probability = {"net_benefit": net_benefit(target, called, prevalence, ones)[0], "low": low, "high": high}
    decided = np.repeat(columns["decision"][:, None], len(RISKS), axis=1).astype(float)
    return pd.DataFrame(
        {
            "risk": RISKS,
            **by_probability,
            "as_decided": net_benefit(target, decided, prevalence, ones)[0],
            "treat_all": net_benefit(target, np.ones_like(decided), prevalence, ones)[0],
        }
    )
