"""The shortcut audit of a run: each shortcut compared with the network, also where the best shortcut tells least."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.audits.rows import auc_row, paired_loss
from pneumonia.audits.shortcuts import (
    FEATURE_SETS,
    Basis,
    can_be_crossed,
    cross_validated_scores,
    held_out_scores,
)
from pneumonia.base.annotations import Floats
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.text import Labelled
from pneumonia.metrics.registry import Targets

BEHIND = "behind_network"


class Sample(Labelled):
    """The images on which a predictor was evaluated."""

    CROSS_VALIDATED = "cross_validated", "train + val, cross-validated"
    TEST = "test", "test"
    VAL = "val", "validation"
    LOW_THIRD = "test_low_third", "test, low third of the best shortcut's score"
    MIDDLE_THIRD = "test_middle_third", "test, middle third"
    HIGH_THIRD = "test_high_third", "test, high third"


THIRDS = (Sample.LOW_THIRD, Sample.MIDDLE_THIRD, Sample.HIGH_THIRD)


def audit_shortcuts(
    shortcut_features: pd.DataFrame, rim_scores: pd.DataFrame, scores: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Measure how well each shortcut alone predicts the class, compared with the network.

    A set of properties is evaluated by cross-validation on train and val (unless a class has fewer groups than folds),
    and on test after a fit to train and val; the rim network and the network itself on val and test.

    Args:
        shortcut_features: One row per image of every split.
        rim_scores: The first table of `regions.score_twins`, which may have no row.
        scores: The network's probabilities of validation and test.
        parameters: `seed`.

    Returns:
        predictor (a `Basis`), images (a `Sample`), auc, low, high, n, n_positive, n_groups; of shortcuts on test
        also `behind_network`: by how much the AUC is below the network's, with paired bounds. Last the network and the
        best shortcut within thirds of the latter's score (`thirds_of`); a gap where a third lacks a class.
    """
    known = shortcut_features[shortcut_features["split"] != "test"]
    test = shortcut_features[shortcut_features["split"] == "test"].drop(columns="split")
    network = scores[scores["split"] == "test"]
    on_test, rows = {}, []
    for name in FEATURE_SETS:
        if can_be_crossed(known):
            crossed = cross_validated_scores(name, known, parameters.seed)
            rows.append(auc_row(name, Sample.CROSS_VALIDATED, known, crossed))
        on_test[name] = test.assign(probability=held_out_scores(name, known, test, parameters.seed))
        rows.append(shortcut_row(name, Sample.TEST, on_test[name], network))
    if len(rim_scores):
        val = rim_scores[rim_scores["split"] == "val"]
        rows.append(auc_row(Basis.RIM_NETWORK, Sample.VAL, val, val["probability"].to_numpy()))
        on_test[Basis.RIM_NETWORK] = rim_scores[rim_scores["split"] == "test"]
        rows.append(shortcut_row(Basis.RIM_NETWORK, Sample.TEST, on_test[Basis.RIM_NETWORK], network))
    for split, part in scores.groupby("split", sort=False):
        rows.append(auc_row(Basis.NETWORK, Sample(split), part, part["probability"].to_numpy()))
    best = best_shortcut(pd.DataFrame(rows))
    return pd.DataFrame(rows + _within_thirds(best, on_test[best], network))


def best_shortcut(shortcut_audit: pd.DataFrame) -> Basis:
    """Return the shortcut with the highest AUC on test."""
    is_shortcut = shortcut_audit["predictor"] != Basis.NETWORK
    on_test = shortcut_audit[is_shortcut & (shortcut_audit["images"] == Sample.TEST)]
    return Basis(on_test.sort_values("auc", kind="stable")["predictor"].iloc[-1])


def shortcut_row(name: Basis, images: str, shortcut: pd.DataFrame, network: pd.DataFrame) -> dict[str, Any]:
    """Return the row of a shortcut on some images, with how far it lies behind the network on the same."""
    row = auc_row(name, images, shortcut, shortcut["probability"].to_numpy())
    return row | paired_loss(BEHIND, network[network["path"].isin(shortcut["path"])], shortcut)


def thirds_of(score: Floats, target: Targets) -> npt.NDArray[np.int64]:
    """Return the third in which each score lies, 0 to 2, `[n]`; equal scores lie in the same third.

    Both classes have equal weight: of unweighted thirds of a good score, all but one would contain only the larger
    class. The middle third then contains the images on which the score discriminates least.

    Args:
        score: Higher for the positive class, `[n]`.
        target: True class, 0 or 1, `[n]`.
    """
    values = np.unique(score, return_inverse=True)[1]
    weight = np.bincount(values, 1 / np.bincount(target)[target])
    middle = np.cumsum(weight) - weight / 2
    return np.minimum((3 * middle / weight.sum())[values].astype(int), 2)


def _within_thirds(best: Basis, shortcut: pd.DataFrame, network: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the network and the best shortcut on the thirds of its score."""
    third = thirds_of(shortcut["probability"].to_numpy(), shortcut["target"].to_numpy())
    rows = []
    for number, images in enumerate(THIRDS):
        part = shortcut[third == number]
        of_network = network[network["path"].isin(part["path"])]
        rows.append(auc_row(Basis.NETWORK, images, of_network, of_network["probability"].to_numpy()))
        rows.append(shortcut_row(best, images, part, network))
    return rows
