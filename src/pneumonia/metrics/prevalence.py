"""What sensitivity and specificity would mean where fewer, or more, of the images are positive."""

from typing import Any

import pandas as pd

from pneumonia.metrics.intervals import estimate_both_rates, estimate_decisions
from pneumonia.metrics.registry import METRICS

PREVALENCES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
PER = 1000


def tabulate_prevalences(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute predictive values, and what becomes of 1,000 images, over a range of prevalences.

    Sensitivity and specificity are those of test, taken as the same at every prevalence. That is an assumption: where
    fewer are ill, the ill are often less ill (spectrum).

    Args:
        predictions: One row per image of validation and test.

    Returns:
        prevalence; ppv and npv with `_low` and `_high`; and of 1,000 images, in whole numbers that add up: found,
        missed, false_alarms, cleared. A gap where no image is called so.
    """
    test = predictions[predictions["split"] == "test"]
    rates = estimate_both_rates(*(test[name].to_numpy() for name in ("target", "decision", "group")))
    share = float(test["target"].mean())
    rows = []
    for prevalence in PREVALENCES:
        row: dict[str, Any] = {"prevalence": prevalence}
        for name, metric in (("ppv", "precision_at_prevalence"), ("npv", "npv_at_prevalence")):
            estimate = estimate_decisions(METRICS[metric], rates, share, prevalence)
            row |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
        sensitivity, specificity = (rate["value"] or 0.0 for rate in rates[0])
        rows.append(row | of_thousand(prevalence, sensitivity, specificity))
    return pd.DataFrame(rows)


def of_thousand(prevalence: float, sensitivity: float, specificity: float) -> dict[str, int]:
    """Return what becomes of 1,000 images, in whole numbers that add up.

    At a prevalence of 0.1, sensitivity 0.94 and specificity 0.8, of 100 positives 94 are found and 6 missed, of 900
    negatives 180 are false alarms and 720 cleared.
    """
    positives = round(PER * prevalence)
    found, cleared = round(positives * sensitivity), round((PER - positives) * specificity)
    return {
        "found": found,
        "missed": positives - found,
        "false_alarms": PER - positives - cleared,
        "cleared": cleared,
    }
