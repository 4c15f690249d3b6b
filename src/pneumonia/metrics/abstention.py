"""What is gained by leaving images undecided: fewer errors among the others, and sets of classes with a guarantee.

A set has the classes that an image's probability does not exclude. It lacks the right one in at most 1 of 20 images of
each class, as far as new groups are like those of validation: class-conditional conformal prediction (Vovk, ACML 2012)
over groups. An image whose set has one class is decided.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.groups import conformal_quantile
from pneumonia.metrics.logistic import logit
from pneumonia.metrics.registry import Targets, in_columns

MISSED = 0.05  # share of the images of each class whose set may lack it
SHARES = tuple(number / 20 for number in range(20, 0, -1))  # of the test images that are kept


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
