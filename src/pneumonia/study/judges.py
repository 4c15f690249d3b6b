"""How a model does on validation images whose framing, sharpness or tone says something else than their class."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.audits.corruption import KINDS, STRENGTHS, corrupt
from pneumonia.audits.framing import (
    JUDGES,
    Change,
    Predict,
    Shown,
    rates_at,
    score_framings,
    tabulate_judges,
)
from pneumonia.base.annotations import Floats, Pixels
from pneumonia.base.parameters import EvaluationParameters

CORRUPTED, EXTERNAL = "corrupted", "external"
# What each kind of judge measures: the AUC, and the rate of the class that it changes.
MEASURED: dict[str, tuple[str, ...]] = {
    Change.UNTOUCHED: ("auc", "specificity", "sensitivity"),
    Change.NEGATIVES_CUT: ("auc", "specificity"),
    Change.POSITIVES_WIDENED: ("auc", "sensitivity"),
    Change.BOTH: ("auc",),
    Change.ALL_ZOOMED: ("auc", "specificity", "sensitivity"),
    Change.NEGATIVES_STYLED: ("auc", "specificity"),
    CORRUPTED: ("auc", "specificity", "sensitivity"),
    EXTERNAL: ("auc", "specificity", "sensitivity"),
}
MEASURED_LABELS = {kind.value: kind.label for kind in Change} | {
    CORRUPTED: "Corrupted in 27 ways",
    EXTERNAL: "Another place",
}


@dataclass(frozen=True)
class Judged:
    """Images that models are judged on, in memory.

    Attributes:
        images: uint8 `[n, size, size, 1]`.
        target: True class, 0 or 1, `[n]`.
    """

    images: Pixels
    target: npt.NDArray[np.int64]


def judge(predict: Predict, val: Judged, external: Judged | None, parameters: EvaluationParameters) -> pd.DataFrame:
    """Judge a model on validation images, and on another place's where there are any.

    Args:
        predict: Gives the probability of the positive class, `[n]`, of uint8 `[n, size, size, 1]`.
        val: The validation images.
        external: Images of another place.
        parameters: `framing_images` of a class are reframed, `robustness_images` are corrupted, none of them where
            `robustness` is off; `seed`.

    Returns:
        kind, negatives, positives (how they are shown), auc, sensitivity and specificity at 0.5, n: one row per judge.
    """
    judges = JUDGES if parameters.framing_images else [one for one in JUDGES if one.kind == Change.UNTOUCHED]
    number = np.arange(len(val.target))
    rows = pd.DataFrame({"path": number, "group": number, "target": val.target})
    scores = score_framings(predict, val.images, rows, parameters.framing_images, judges)
    tables = [tabulate_judges(scores, judges)]
    if parameters.robustness:
        tables.append(_corrupted(predict, val, parameters))
    if external is not None:
        said = predict(external.images)
        tables.append(pd.DataFrame([_row(EXTERNAL, Shown.WHOLE, external.target, said)]))
    return pd.concat(tables, ignore_index=True)


def _row(kind: str, shown: str, target: npt.NDArray[np.int64], probability: Floats) -> dict[str, Any]:
    rates = rates_at(target, probability)
    return {"kind": kind, "negatives": shown, "positives": shown, **rates, "n": len(target)}


def _corrupted(predict: Predict, val: Judged, parameters: EvaluationParameters) -> pd.DataFrame:
    """Return the mean over all kinds and strengths, and over the kinds at the strongest, two rows."""
    rng, most = np.random.default_rng(parameters.seed), parameters.robustness_images // 2
    chosen = np.concatenate([rng.permutation(np.flatnonzero(val.target == label))[:most] for label in (0, 1)])
    rows = []
    for kind, strength in product(KINDS, STRENGTHS):
        damaged = corrupt(val.images[chosen][..., 0], kind, strength, parameters.seed)[..., None]
        rows.append(_row(CORRUPTED, str(strength), val.target[chosen], predict(damaged)))
    table = pd.DataFrame(rows)
    parts = {"all_27": table, "strength_3": table[table["negatives"] == str(max(STRENGTHS))]}
    means = [
        {"kind": CORRUPTED, "negatives": name, "positives": name, **part.mean(numeric_only=True)}
        for name, part in parts.items()
    ]
    return pd.DataFrame(means).astype({"n": int})


def worst_of_each(judged: pd.DataFrame) -> dict[str, float]:
    """Return the lowest of each rate that a kind of judge measures, as `kind_rate`.

    Of the corrupted images it is the mean over all 27 ways.
    """
    row: dict[str, float] = {}
    for kind, rates in MEASURED.items():
        part = judged[judged["kind"] == kind]
        if kind == CORRUPTED:
            part = part[part["negatives"] == "all_27"]
        if len(part):
            row |= {f"{kind}_{rate}": float(part[rate].min()) for rate in rates}
    return row


def name_measure(measure: str) -> str:
    """Put the name of a measure, such as `negatives_cut_auc`, in words."""
    kind, _, rate = measure.rpartition("_")
    return f"{MEASURED_LABELS[kind]}: {'AUC' if rate == 'auc' else rate}"
