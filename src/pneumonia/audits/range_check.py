"""How well images that the model must not judge are detected: many artificial kinds, and unmodified test images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pneumonia.base.annotations import Floats, Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.breakdowns import measure_stratum
from pneumonia.metrics.metrics import ranking_metrics
from pneumonia.metrics.registry import in_columns
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import feature_model, open_pixels, stored_parts
from pneumonia.pixels.store import PixelStores, pixel_keys
from pneumonia.predictor.describing import describe
from pneumonia.predictor.image_range import ImageRange, range_distances

UNTOUCHED = "untouched"
MADE = 100  # images of each kind, at most
RANGE_COLUMNS = ["kind", "outside", "low", "high", "auc", "n", "n_groups"]
KIND_LABELS = {
    UNTOUCHED: "test images as they are (false alarms)",
    "inverted": "grey values inverted",
    "rotated": "rotated by 90 degrees",
    "upside_down": "upside down",
    "half_cut": "one half cut away",
    "noise": "noise, fine to coarse",
    "blank": "one grey value, with and without grain",
}


def check_range(
    pneumonia_model: Model,
    image_range: ImageRange,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure how many artificial images of each kind, and how many unmodified test images, are found out of range.

    Args:
        pneumonia_model: The trained network.
        image_range: Its range.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `batch_size`, `seed`.

    Returns:
        kind, outside (share found out of range), low, high, auc (of the distance, against all unmodified test images),
        n, n_groups. The first row is that of the unmodified images. Also path and distance (in bounds) of each.
    """
    store = open_pixels(pixel_store, model_lineage)
    features = feature_model(pneumonia_model)

    def distance(pixels: Pixels) -> Floats:
        return range_distances(describe(pixels, features, parameters.batch_size), image_range).max(axis=1)

    test = split_manifest[split_manifest["split"] == "test"]
    untouched = np.concatenate([distance(part) for part in stored_parts(store, pixel_keys(test))])
    rows = [_row(UNTOUCHED, untouched, untouched, test["group"].to_numpy())]
    sample = test.sample(min(MADE, len(test)), random_state=parameters.seed).sort_index()
    pixels = np.concatenate(list(stored_parts(store, pixel_keys(sample))))
    for kind, change in CHANGED.items():
        rows.append(_row(kind, distance(change(pixels)), untouched, sample["group"].to_numpy()))
    for kind, draw in DRAWN.items():
        drawn = np.stack([draw(pixels.shape[1], seed) for seed in range(MADE)])[..., None]
        rows.append(_row(kind, distance(drawn), untouched, np.arange(MADE)))
    return pd.DataFrame(rows)[RANGE_COLUMNS], test[["path"]].assign(distance=untouched).reset_index(drop=True)


def measure_in_range(predictions: pd.DataFrame, test_distances: pd.DataFrame) -> pd.DataFrame:
    """Measure the test images that the model judges beside all of them.

    Args:
        predictions: One row per image of validation and test.
        test_distances: The second table of `check_range`.

    Returns:
        images ("all", "in range"), and what `metrics.breakdowns.measure_stratum` gives.
    """
    test = predictions[predictions["split"] == "test"].merge(test_distances, on="path")
    parts = {"all": test, "in range": test[test["distance"] <= 1]}
    return pd.DataFrame([{"images": name, **measure_stratum(rows)} for name, rows in parts.items() if len(rows)])


def _row(kind: str, distance: Floats, untouched: Floats, groups: np.ndarray) -> dict[str, Any]:
    rate = estimate_rate(distance > 1, groups)
    target = np.repeat([0, 1], [len(untouched), len(distance)])
    auc = float(ranking_metrics(target, np.concatenate([untouched, distance]))["auc"][0])
    return {
        "kind": kind,
        **in_columns(rate, "outside", bounds=""),
        "auc": None if kind == UNTOUCHED else auc,
        "n": len(distance),
        "n_groups": len(np.unique(groups)),
    }


def cut_half(pixels: Pixels) -> Pixels:
    """Blacken one half of each image, uint8 `[n, size, size, 1]`: in turn the left, right, upper and lower one."""
    half = pixels.shape[1] // 2
    sides = (np.s_[:, :half], np.s_[:, half:], np.s_[:half], np.s_[half:])
    cut = pixels.copy()
    for number, image in enumerate(cut):
        image[sides[number % len(sides)]] = 0
    return cut


def draw_noise(size: int, seed: int) -> np.ndarray:
    """Draw noise, uint8 `[size, size]`: uniform or normal, with grains of 1, 2, 4 or 8 pixels in turn."""
    rng = np.random.default_rng(seed)
    side = max(size >> (seed % 4), 1)
    values = rng.integers(0, 256, (side, side)) if seed % 8 < 4 else rng.normal(128, 40, (side, side)).clip(0, 255)
    return np.asarray(Image.fromarray(values.astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC))


def draw_blank(size: int, seed: int) -> np.ndarray:
    """Draw one grey value, uint8 `[size, size]`, with a grain of 0, 0.5 or 2 levels in turn."""
    rng = np.random.default_rng(seed)
    grain = (0.0, 0.5, 2.0)[seed % 3] * rng.normal(size=(size, size))
    return (rng.integers(0, 256) + grain).clip(0, 255).astype(np.uint8)


CHANGED: dict[str, Callable[[Pixels], Pixels]] = {
    "inverted": lambda pixels: 255 - pixels,
    "rotated": lambda pixels: np.rot90(pixels, axes=(1, 2)),
    "upside_down": lambda pixels: pixels[:, ::-1],
    "half_cut": cut_half,
}
DRAWN: dict[str, Callable[[int, int], np.ndarray]] = {"noise": draw_noise, "blank": draw_blank}
