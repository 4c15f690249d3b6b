"""The value of the decisions: at other prevalences, in the decision curve, and where images may be left undecided.

The last brings fewer errors among the others, and sets of classes with a guarantee. A set has the classes that an
image's probability does not exclude. It lacks the right one in at most 1 of 20 images of each class, as far as new
groups are like those of validation: class-conditional conformal prediction (Vovk, ACML 2012) over groups. An image
whose set has one class is decided.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.auc import BAND_RESAMPLES
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.calibration import at_prevalence
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.groups import conformal_quantile, resample_groups
from pneumonia.metrics.intervals import estimate_both_rates, estimate_decisions
from pneumonia.metrics.logistic import logit
from pneumonia.metrics.registry import METRICS, Targets, in_columns
from pneumonia.metrics.summary import columns_of

PREVALENCES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
PER = 1000
SAID = (10, 50, 90)  # percent: calibrated probabilities that are moved to each prevalence
RISKS = np.round(np.arange(0.01, 0.81, 0.01), 2)  # thresholds of the decision curve
MISSED = 0.05  # share of the images of each class whose set may lack it
SHARES = tuple(number / 20 for number in range(20, 0, -1))  # of the test images that are kept


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


def trace_risk(predictions: pd.DataFrame, decision: Decision) -> pd.DataFrame:
    """Measure the errors among the test images of which the network is surest (El-Yaniv and Wiener, JMLR 11, 2010).

    The network is as sure of an image as the log-odds of its probability lie away from those of the threshold. Images
    of which it is equally sure are kept together.

    Args:
        predictions: One row per image of validation and test.
        decision: `threshold`.

    Returns:
        kept (share of the images), n, errors, and their share as error, low, high; from all images to the surest.
    """
    test = predictions[predictions["split"] == "test"]
    sure = np.abs(logit(test["probability"]) - logit(decision["threshold"]))
    wrong, groups = (test["decision"] != test["target"]).to_numpy(), test["group"].to_numpy()
    falling = np.sort(sure)[::-1]
    rows = []
    for least in dict.fromkeys(float(falling[math.ceil(share * len(test)) - 1]) for share in SHARES):
        kept = sure >= least
        rate = estimate_rate(wrong[kept], groups[kept])
        sizes = {"kept": float(kept.mean()), "n": int(kept.sum()), "errors": int(wrong[kept].sum())}
        rows.append({**sizes, **in_columns(rate, "error", bounds="")})
    return pd.DataFrame(rows)


def bound_classes(target: Targets, probability: Floats, groups: npt.NDArray) -> tuple[float, float]:
    """Return up to which probability a set has the negative class, and from which the positive, by validation images.

    With fewer than 19 groups of a class, every set has it.

    Args:
        target: True class, 0 or 1, `[n]`.
        probability: Reported probability of the positive class, `[n]`.
        groups: Group of each image, `[n]`.
    """
    negative, positive = (
        conformal_quantile(against[target == of], groups[target == of], MISSED)
        for of, against in ((0, probability), (1, -probability))
    )
    return (math.inf if negative is None else negative), (-math.inf if positive is None else -positive)


def measure_sets(predictions: pd.DataFrame) -> pd.DataFrame:
    """Bound the sets on validation; measure them on test.

    Args:
        predictions: One row per image of validation and test.

    Returns:
        label ("all" last), n, n_groups, `bound` (of the class: up to which probability, or from which, a set has it;
        a gap where every set does), the share of the sets that have the right class as held, low, high; shares of the
        images with one class, both and neither; of those with one class n_decided, errors, and their share as error,
        error_low, error_high.
    """
    val, test = (predictions[predictions["split"] == split] for split in ("val", "test"))
    bounds = bound_classes(*(val[name].to_numpy() for name in ("target", "probability", "group")))
    has_negative, has_positive = test["probability"] <= bounds[0], test["probability"] >= bounds[1]
    sets = pd.DataFrame(
        {
            "held": np.where(test["target"] == 1, has_positive, has_negative),
            "one": has_negative != has_positive,
            "both": has_negative & has_positive,
            "neither": ~(has_negative | has_positive),
        }
    )
    parts = [(label, bounds[target], test["target"] == target) for target, label in _labels(test)]
    rows = []
    for label, bound, of in [*parts, ("all", math.nan, np.full(len(test), True))]:
        told = bound if math.isfinite(bound) else math.nan
        rows.append({"label": label, "bound": told, **_measure(sets[of], test.loc[of, "group"].to_numpy())})
    return pd.DataFrame(rows)


def _labels(rows: pd.DataFrame) -> list[tuple[int, str]]:
    """Return the classes with their names, the negative first."""
    named = rows.drop_duplicates("target").sort_values("target")
    return list(named[["target", "label"]].itertuples(index=False, name=None))


def _measure(sets: pd.DataFrame, groups: npt.NDArray) -> dict[str, Any]:
    held, decided = estimate_rate(sets["held"].to_numpy(), groups), sets["one"].to_numpy()
    wrong = ~sets["held"].to_numpy(dtype=bool)[decided]
    error = estimate_rate(wrong, groups[decided])
    return {
        "n": len(sets),
        "n_groups": len(np.unique(groups)),
        **in_columns(held, "held", bounds=""),
        **{name: float(sets[name].mean()) for name in ("one", "both", "neither")},
        "n_decided": int(decided.sum()),
        "errors": int(wrong.sum()),
        **in_columns(error, "error"),
    }
