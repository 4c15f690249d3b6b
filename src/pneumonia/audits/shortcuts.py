"""What tells the classes apart without looking at the lungs: properties of the file, brightness, borders."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.metrics.metrics import Floats

BORDER = 0.06  # of the image's side: where collimators, letters and padding are
FEATURE_SETS = {
    "Width and height": ["log_width", "log_height"],
    "Aspect ratio": ["log_aspect"],
    "File size": ["log_bytes"],
    "Stored mode": ["stored_colour"],
    "Mean brightness": ["brightness"],
    "Border pixels": [
        "top",
        "bottom",
        "left",
        "right",
        "top_spread",
        "bottom_spread",
        "left_spread",
        "right_spread",
    ],
}
FEATURE_SETS["All of these"] = [name for names in FEATURE_SETS.values() for name in names]
FOLDS = 5


def file_features(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Describe each image file by width, height, aspect, size in bytes (logarithms) and stored mode (1: not grey)."""
    width, height = split_manifest["width"], split_manifest["height"]
    return pd.DataFrame(
        {
            "log_width": np.log(width),
            "log_height": np.log(height),
            "log_aspect": np.log(width / height),
            "log_bytes": np.log(split_manifest["bytes"]),
            "stored_colour": (split_manifest["mode"] != "L").astype(float),
        }
    )


def pixel_features(images: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Describe each image, uint8 `[n, size, size, 1]`, by its mean brightness and its four borders (0 to 1)."""
    pixels = images[..., 0] / np.float32(255)
    width = max(1, round(BORDER * pixels.shape[1]))
    sides = {
        "top": pixels[:, :width],
        "bottom": pixels[:, -width:],
        "left": pixels[:, :, :width],
        "right": pixels[:, :, -width:],
    }
    columns = {"brightness": pixels.mean(axis=(1, 2))}
    columns |= {name: part.mean(axis=(1, 2)) for name, part in sides.items()}
    columns |= {f"{name}_spread": part.std(axis=(1, 2)) for name, part in sides.items()}
    return pd.DataFrame(columns).astype(float)


def cross_validated_scores(features: Floats, target: npt.NDArray[np.int64], groups: npt.NDArray, seed: int) -> Floats:
    """Score each row by a logistic regression that saw none of its group.

    Five folds, stratified by class, groups kept together.

    Args:
        features: `[n, k]`.
        target: True class, 0 or 1, `[n]`.
        groups: Group of each row, `[n]`.
        seed: Seed of the folds.

    Returns:
        Probability of the positive class, `[n]`.
    """
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return cross_val_predict(_logistic_regression(), features, target, groups=groups, cv=folds, method="predict_proba")[
        :, 1
    ]


def held_out_scores(features: Floats, target: npt.NDArray[np.int64], unseen: Floats) -> Floats:
    """Score unseen rows by a logistic regression fitted on the others; probability of the positive class."""
    return _logistic_regression().fit(features, target).predict_proba(unseen)[:, 1]


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def hide(images: npt.NDArray[np.uint8], side: float, part: str) -> npt.NDArray[np.uint8]:
    """Replace the centre of each image, or all but the centre, by the mean brightness of what is left.

    Args:
        images: uint8 `[n, size, size, 1]`.
        side: Side of the central square as a share of the image's side.
        part: "centre" or "border".

    Returns:
        New images, uint8 `[n, size, size, 1]`.
    """
    size = images.shape[1]
    margin = max(1, round(size * (1 - side) / 2))
    hidden = np.zeros((size, size, 1), dtype=bool)
    hidden[margin : size - margin, margin : size - margin] = True
    hidden = hidden if part == "centre" else ~hidden
    visible_mean = images[:, ~hidden].mean(axis=1).round().astype(np.uint8)
    return np.where(hidden, visible_mean[:, None, None, None], images)
