"""What a study shows of each recipe: its mean, its spread, and its difference from the base with an interval."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.metrics.bounds import TAIL
from pneumonia.study.judges import MEASURED

BETTER, WORSE, ALIKE, TOO_FEW, BASE = "better", "worse", "cannot be told apart", "too few pairs", "base"
LEAST_PAIRS = 3
LEAST_SPREAD = 1e-9  # of the differences: rates of few images are often equal to the last digit, by chance


def measures_of(study_results: pd.DataFrame) -> list[str]:
    """Return the columns of the results that are measured, in the order in which they judge."""
    names = [f"{kind}_{rate}" for kind, rates in MEASURED.items() for rate in rates]
    return [name for name in names if name in study_results.columns]


def summarise_study(study_results: pd.DataFrame) -> pd.DataFrame:
    """Compare the recipes of a study with the first one.

    A difference is taken between trainings of the same seed and fold, and its interval is Student's over such pairs.
    Where there are folds, their training images overlap, and the variance of the mean is `s^2 (1/n + 1/(k - 1))`
    instead of `s^2 / n` (Nadeau and Bengio, Machine Learning 52, 2003). On one split the interval holds for other
    seeds, not for other images. Where all pairs differ by the same, there is no interval.

    Args:
        study_results: One row per training.

    Returns:
        recipe, measure, n (trainings), mean, sd_seeds (between the seeds of a fold, pooled), sd_folds (between the
        means of the folds), difference, low, high, verdict, and `cpu_seconds` (mean): one row per recipe and measure.
    """
    folds = study_results["fold"].nunique()
    tables = {name: part.set_index(["fold", "seed"]) for name, part in study_results.groupby("recipe", sort=False)}
    base = next(iter(tables.values()))
    rows = []
    for name, table in tables.items():
        for measure in measures_of(study_results):
            values = table[measure]
            compared = _base_row() if table is base else _compare(values - base[measure], folds)
            row: dict[str, Any] = {"recipe": name, "measure": measure, "n": len(values), "mean": values.mean()}
            rows.append(row | _spread(values) | compared | {"cpu_seconds": table["cpu_seconds"].mean()})
    return pd.DataFrame(rows)


def _spread(values: pd.Series) -> dict[str, float]:
    """Return the deviation between seeds of a fold, and between folds; gaps where there is one only."""
    by_fold = values.groupby(level="fold")
    within = by_fold.var(ddof=1)
    return {"sd_seeds": float(np.sqrt(within.mean())), "sd_folds": float(by_fold.mean().std(ddof=1))}


def _base_row() -> dict[str, Any]:
    return {"difference": np.nan, "low": np.nan, "high": np.nan, "verdict": BASE}


def _compare(differences: pd.Series, folds: int) -> dict[str, Any]:
    """Estimate the mean difference of paired trainings."""
    from scipy.stats import t

    pairs = differences.dropna()
    mean = float(pairs.mean()) if len(pairs) else np.nan
    if len(pairs) < LEAST_PAIRS:
        return {"difference": mean, "low": np.nan, "high": np.nan, "verdict": TOO_FEW}
    if pairs.std(ddof=1) < LEAST_SPREAD:
        return {"difference": mean, "low": np.nan, "high": np.nan, "verdict": ALIKE}
    overlap = 1 / (folds - 1) if folds > 1 else 0.0
    half = float(t.ppf(1 - TAIL, len(pairs) - 1) * np.sqrt(pairs.var(ddof=1) * (1 / len(pairs) + overlap)))
    verdict = BETTER if mean - half > 0 else WORSE if mean + half < 0 else ALIKE
    return {"difference": mean, "low": mean - half, "high": mean + half, "verdict": verdict}
