"""What tells the classes apart without looking at the lungs: properties of the file, brightness, borders."""

from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.audits.rows import auc_row
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.metrics import Floats
from pneumonia.model.predict import PART
from pneumonia.pixels.store import PixelStore

BORDER = 0.06  # of the image's side: where collimators, letters and padding are


class Predictor(StrEnum):
    """What the class is predicted from: properties that are no findings, or the network's probability."""

    SHAPE = "shape"
    ASPECT = "aspect"
    FILE_SIZE = "file_size"
    MODE = "mode"
    BRIGHTNESS = "brightness"
    BORDER = "border"
    ALL = "all"
    NETWORK = "network"


class Sample(StrEnum):
    """Which images a predictor was judged on."""

    CROSS_VALIDATED = "cross_validated"
    TEST = "test"
    VAL = "val"


PREDICTOR_LABELS = {
    Predictor.SHAPE: "Width and height",
    Predictor.ASPECT: "Aspect ratio",
    Predictor.FILE_SIZE: "File size",
    Predictor.MODE: "Stored mode",
    Predictor.BRIGHTNESS: "Mean brightness",
    Predictor.BORDER: "Border pixels",
    Predictor.ALL: "All properties together",
    Predictor.NETWORK: "The network",
}
SAMPLE_LABELS = {
    Sample.CROSS_VALIDATED: "train + val, cross-validated",
    Sample.TEST: "test",
    Sample.VAL: "validation",
}
FEATURE_SETS = {
    Predictor.SHAPE: ["log_width", "log_height"],
    Predictor.ASPECT: ["log_aspect"],
    Predictor.FILE_SIZE: ["log_bytes"],
    Predictor.MODE: ["stored_colour"],
    Predictor.BRIGHTNESS: ["brightness"],
    Predictor.BORDER: [
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
FEATURE_SETS[Predictor.ALL] = [name for names in FEATURE_SETS.values() for name in names]
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


def describe_shortcuts(split_manifest: pd.DataFrame, pixel_store: PixelStore) -> pd.DataFrame:
    """Describe each image by its file, its brightness and its borders.

    Args:
        split_manifest: One row an image.
        pixel_store: Decoded images.

    Returns:
        path, group, target, split and the columns of `FEATURE_SETS`, one row an image.
    """
    rows = pixel_store.rows(split_manifest["sha256"])
    parts = [pixel_features(pixel_store.read(rows[i : i + PART])) for i in range(0, len(rows), PART)]
    keys = split_manifest[["path", "group", "target", "split"]].reset_index(drop=True)
    files = file_features(split_manifest).reset_index(drop=True)
    return pd.concat([keys, files, pd.concat(parts, ignore_index=True)], axis=1)


def audit_shortcuts(
    shortcut_features: pd.DataFrame, scores: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Measure how well each set of properties alone predicts the class, beside the network.

    Args:
        shortcut_features: One row an image of every split.
        scores: The network's probabilities of validation and test.
        parameters: `resamples`, `seed`.

    Returns:
        predictor (a `Predictor`), images (a `Sample`), auc, low, high, n, n_groups. A set of properties is judged
        by cross-validation on train and val, and on test after a fit to these; the network on val and test.
    """
    known = shortcut_features[shortcut_features["split"] != "test"]
    test = shortcut_features[shortcut_features["split"] == "test"]
    known_target = known["target"].to_numpy()
    rows = []
    for name, columns in FEATURE_SETS.items():
        features, groups = known[columns].to_numpy(), known["group"].to_numpy()
        crossed = cross_validated_scores(features, known_target, groups, parameters.seed)
        rows.append(auc_row(name, Sample.CROSS_VALIDATED, known, crossed, parameters))
        held_out = held_out_scores(features, known_target, test[columns].to_numpy())
        rows.append(auc_row(name, Sample.TEST, test, held_out, parameters))
    for split, part in scores.groupby("split", sort=False):
        rows.append(auc_row(Predictor.NETWORK, Sample(split), part, part["probability"].to_numpy(), parameters))
    return pd.DataFrame(rows)
