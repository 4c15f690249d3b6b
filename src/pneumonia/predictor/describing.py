"""The range of a trained model, from the stored pixels of its training and validation images."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.progress import follow
from pneumonia.model.lineage import weights_digest
from pneumonia.model.predict import feature_model, forward, stored_parts
from pneumonia.pixels.store import PixelStore
from pneumonia.predictor.image_range import FEATURES, GREY, Description, Pixels, describe_grey, fit_range

FITTED_ON, BOUND_ON = "train", "val"


def fit_image_range(
    model: Model, split_manifest: pd.DataFrame, pixel_store: PixelStore, batch_size: int
) -> dict[str, Any]:
    """Fit the range on train; set its bound on val. The test images are not read.

    Args:
        model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        batch_size: Images per forward pass.

    Returns:
        The record of `image_range.fit_range`, with the `weights_sha256` of the model that it belongs to.
    """
    features = feature_model(model)
    described = {}
    for split in (FITTED_ON, BOUND_ON):
        rows = split_manifest[split_manifest["split"] == split]
        with follow(len(rows), f"Describing the {split} images") as advance:
            parts = []
            for pixels in stored_parts(pixel_store, rows["sha256"]):
                parts.append(describe(pixels, features, batch_size))
                advance(len(pixels))
        described[split] = {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}
    return {"weights_sha256": weights_digest(model), **fit_range(described[FITTED_ON], described[BOUND_ON])}


def describe(pixels: Pixels, features: Model, batch_size: int) -> dict[str, Description]:
    """Describe decoded images, uint8 `[n, size, size, 1]`, by their grey values and by the network's features.

    Args:
        pixels: The images.
        features: The network's pooled features, from `feature_model`.
        batch_size: Images per forward pass.
    """
    return {GREY: describe_grey(pixels), FEATURES: forward(features, pixels, batch_size)[0]}
