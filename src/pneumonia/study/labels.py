"""Labels that a study's networks contradict on images that they were not trained on: confident learning.

Northcutt, Jiang and Chuang, J. Artif. Intell. Res. 70 (2021). With `t_j`, the mean probability of class `j` among the
images labelled `j`, an image is counted as one of class `j` if its probability of `j` is at least `t_j`; if both are,
under the larger. Images that are counted under another class than their label are suspected.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.registry import Targets

COUNT_COLUMNS = ["target", "n", "n_groups", "suspected", "expected", "low", "high"]
SCORE_COLUMNS = ["recipe", "seed", "fold", "sha256", "probability"]
SUSPECT_COLUMNS = ["path", "label", "likelier", "probability", "trainings", "group", "sha256"]


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
        and per class its `label` and `COUNT_COLUMNS`. No rows where one class or every score is missing.
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
    target, probability = images["target"].to_numpy(), images["mean"].to_numpy()
    counts = count_label_errors(target, probability, images["group"].to_numpy())
    counts.insert(0, "label", counts["target"].map(names))
    counted = confident_class(target, probability)
    other = np.where(target == 1, 1 - probability, probability)
    listed = images.assign(likelier=names[1 - target].to_numpy(), probability=other, trainings=images["size"])
    listed = listed[counted == 1 - target].sort_values(["probability", "path"], ascending=[False, True])
    return listed[SUSPECT_COLUMNS].reset_index(drop=True), counts
