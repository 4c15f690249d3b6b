"""Labels that a study's networks contradict on images that they were not trained on."""

import numpy as np
import pandas as pd

from pneumonia.metrics.label_errors import COUNT_COLUMNS, confident_class, count_label_errors

SCORE_COLUMNS = ["recipe", "seed", "fold", "sha256", "probability"]
SUSPECT_COLUMNS = ["path", "label", "likelier", "probability", "trainings", "group", "sha256"]


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
