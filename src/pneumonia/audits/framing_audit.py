"""The audit of framing in a run: the judges of `framing` on the validation images, with intervals."""

from functools import partial
from typing import Any

import pandas as pd

from pneumonia.audits.framing import JUDGES, SCORE_COLUMNS, images_of, score_framings
from pneumonia.audits.rows import auc_row
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.decisions import apply_decision
from pneumonia.model.predict import predict
from pneumonia.pixels.store import PixelStore

COLUMNS = ["kind", "negatives", "positives", "auc", "low", "high", "sensitivity", "specificity", "n", "n_groups"]


def score_validation(
    pneumonia_model: Model, split_manifest: pd.DataFrame, pixel_store: PixelStore, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Predict the validation images under each framing.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        parameters: `framing_images` (0: no framing is tried), `batch_size`.

    Returns:
        The table of `framing.score_framings`, without a row where no framing is tried.
    """
    if not parameters.framing_images:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    val = split_manifest[split_manifest["split"] == "val"]
    images = pixel_store.read(pixel_store.rows(val["sha256"]))
    ask = partial(predict, pneumonia_model, batch_size=parameters.batch_size)
    return score_framings(ask, images, val, parameters.framing_images)


def measure_framings(framing_scores: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Measure the network on validation images as each judge shows them.

    Args:
        framing_scores: The table of `score_validation`.
        decision: The record by which probabilities become decisions.

    Returns:
        kind (a `Kind`), negatives and positives (a `Shown` each), auc, low, high, sensitivity, specificity, n,
        n_groups: one row per judge.
    """
    if framing_scores.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for judge in JUDGES:
        images = apply_decision(images_of(judge, framing_scores), decision)
        right = images["decision"] == images["target"]
        rows.append(
            {
                **auc_row(judge.kind, "val", images, images["probability"].to_numpy()),
                **judge._asdict(),
                "sensitivity": float(right[images["target"] == 1].mean()),
                "specificity": float(right[images["target"] == 0].mean()),
            }
        )
    return pd.DataFrame(rows)[COLUMNS]
