"""The row of an audit's table: the AUC of some scores with its interval."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.intervals import estimate_auc
from pneumonia.metrics.metrics import Floats


def auc_row(
    predictor: str, images: str, rows: pd.DataFrame, scores: Floats, parameters: EvaluationParameters
) -> dict[str, Any]:
    """Estimate the AUC of scores of some images.

    Args:
        predictor: What made the scores.
        images: Which images these are.
        rows: `target` and `group` of each image, `[n]`.
        scores: Higher for the positive class, `[n]`.
        parameters: `resamples`, `seed`.

    Returns:
        predictor, images, auc, low, high, n, n_groups.
    """
    groups = rows["group"].to_numpy()
    auc = estimate_auc(rows["target"].to_numpy(), scores, groups)
    return {
        "predictor": predictor,
        "images": images,
        "auc": auc["value"],
        "low": auc["low"],
        "high": auc["high"],
        "n": len(rows),
        "n_groups": len(np.unique(groups)),
    }
