"""What a study shows: of each recipe its mean, spread and difference from the base, and of labels which are suspected.

Labels that networks contradict on images that they were not trained on are found by confident learning (Northcutt,
Jiang and Chuang, J. Artif. Intell. Res. 70, 2021). With `t_j`, the mean probability of class `j` among the images
labelled `j`, an image is counted as one of class `j` if its probability of `j` is at least `t_j`; if both are, under
the larger. Images that are counted under another class than their label are suspected.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.metrics.auc import estimate_auc
from pneumonia.metrics.bounds import TAIL, estimate_rate
from pneumonia.metrics.registry import Targets
from pneumonia.study.judges import MEASURED

BETTER, WORSE, ALIKE, TOO_FEW, BASE = "better", "worse", "cannot be told apart", "too few pairs", "base"
LEAST_PAIRS = 3
LEAST_SPREAD = 1e-9  # of the differences: rates of few images are often equal to the last digit, by chance

COUNT_COLUMNS = ["target", "n", "n_groups", "suspected", "expected", "low", "high"]
SUSPECT_COLUMNS = ["path", "label", "likelier", "probability", "trainings", "group", "sha256"]
CHANCE = 0.5  # AUC


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


SCORE_COLUMNS = ["recipe", "seed", "fold", "sha256", "probability"]


def confident_class(target: Targets, probability: Floats) -> npt.NDArray[np.int64]:
    """Return the class under which each image is counted, 0 or 1; -1 for one that is counted under none.

    Args:
        target: The label of each image, both present, `[n]`.
        probability: Of the positive class, by a network that did not see the image, `[n]`.
    """
    shares = np.stack([1 - probability, probability], axis=1)
    least = np.array([shares[target == one, one].mean() for one in (0, 1)])
    reached = np.where(shares >= least, shares, -1.0)
    return np.where(reached.max(axis=1) < 0, -1, reached.argmax(axis=1))


def count_label_errors(target: Targets, probability: Floats, groups: npt.NDArray) -> pd.DataFrame:
    """Estimate how many labels of each class are wrong: the share suspected of those counted, times the class's images.

    Args:
        target: The label of each image, both present, `[n]`.
        probability: Of the positive class, by a network that did not see the image, `[n]`.
        groups: Group of each image, `[n]`.

    Returns:
        `COUNT_COLUMNS`, one row per class: how many are suspected, and how many would be wrong if the networks were
        right wherever they are that sure, with a 95% interval over groups.
    """
    counted, rows = confident_class(target, probability), []
    for one in (0, 1):
        of_class, told = target == one, (target == one) & (counted >= 0)
        n = int(of_class.sum())
        share = estimate_rate(counted[told] == 1 - one, groups[told])
        expected = [None if bound is None else n * bound for bound in (share["value"], share["low"], share["high"])]
        suspected = int((counted[of_class] == 1 - one).sum())
        rows.append([one, n, len(np.unique(groups[of_class])), suspected, *expected])
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def suspect_labels(study_scores: pd.DataFrame, split_manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the images whose labels are suspected, those first that the networks contradict most; count them by class.

    The probabilities of the first recipe are averaged over its trainings. Nothing is changed by this.

    Args:
        study_scores: `SCORE_COLUMNS`, of held-out images.
        split_manifest: One row per image.

    Returns:
        `SUSPECT_COLUMNS` (`probability` is that of the likelier class, `trainings` how many networks judged the image),
        and per class its `label` and `COUNT_COLUMNS`. No rows where one class or every score is missing, or where the
        networks are not shown to rank the images better than chance: they then contradict no label.
    """
    empty = pd.DataFrame(columns=SUSPECT_COLUMNS), pd.DataFrame(columns=["label", *COUNT_COLUMNS])
    if study_scores.empty:
        return empty
    first = study_scores[study_scores["recipe"] == study_scores["recipe"].iloc[0]]
    means = first.groupby("sha256")["probability"].agg(["mean", "size"]).reset_index()
    images = split_manifest[split_manifest["split"] != "test"].merge(means, on="sha256")
    if images["target"].nunique() < 2:
        return empty
    names = images.drop_duplicates("target").set_index("target")["label"]
    target, probability, groups = (images[name].to_numpy() for name in ("target", "mean", "group"))
    if (estimate_auc(target, probability, groups)["low"] or 0.0) <= CHANCE:
        return empty
    counts = count_label_errors(target, probability, groups)
    counts.insert(0, "label", counts["target"].map(names))
    counted = confident_class(target, probability)
    other = np.where(target == 1, 1 - probability, probability)
    listed = images.assign(likelier=names[1 - target].to_numpy(), probability=other, trainings=images["size"])
    listed = listed[counted == 1 - target].sort_values(["probability", "path"], ascending=[False, True])
    return listed[SUSPECT_COLUMNS].reset_index(drop=True), counts
