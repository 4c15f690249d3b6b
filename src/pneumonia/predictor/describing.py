"""The range of a trained model, from the stored pixels of its training and validation images."""

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.progress import follow
from pneumonia.model.lineage import Lineage, adapted_to, weights_digest
from pneumonia.model.predict import feature_model, forward, open_pixels, stored_parts
from pneumonia.pixels.store import PixelStore, PixelStores, pixel_keys
from pneumonia.predictor.image_range import FEATURES, GREY, Description, ImageRange, describe_grey, fit_range

FITTED_ON, BOUND_ON = "train", "val"


def list_described(split_manifest: pd.DataFrame, lineage: Lineage, store: PixelStore) -> pd.DataFrame:
    """List the images that describe a model's range: those of the manifest and of places that it was adapted to.

    Returns:
        sha256, bits, split and group. Of an adapted model, images that are not stored are left out.
    """
    images = split_manifest.reindex(columns=["sha256", "bits", "split", "group"], fill_value=0)
    adapted = adapted_to(lineage)[["sha256", "bits", "split", "group"]]
    if adapted.empty:
        return images
    images = pd.concat([images, adapted], ignore_index=True)
    return images[store.has(pixel_keys(images))]


def fit_image_range(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> ImageRange:
    """Fit the range on train; set its bound on val. The test images are not read.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `batch_size`.

    Returns:
        The record of `image_range.fit_range`, with the `weights_sha256` of the model that it belongs to.
    """
    store, features = open_pixels(pixel_store, model_lineage), feature_model(pneumonia_model)
    images, described = list_described(split_manifest, model_lineage, store), {}
    groups = images.loc[images["split"] == BOUND_ON, "group"].astype(str).to_numpy()
    for split in (FITTED_ON, BOUND_ON):
        rows = images[images["split"] == split]
        with follow(len(rows), f"Describing the {split} images") as advance:
            parts = []
            for pixels in stored_parts(store, pixel_keys(rows)):
                parts.append(describe(pixels, features, parameters.batch_size))
                advance(len(pixels))
        described[split] = {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}
    fitted = fit_range(described[FITTED_ON], described[BOUND_ON], groups)
    return {"weights_sha256": weights_digest(pneumonia_model), **fitted}


def describe(pixels: Pixels, features: Model, batch_size: int) -> dict[str, Description]:
    """Describe decoded images, uint8 `[n, size, size, 1]`, by their grey values and by the network's features.

    Args:
        pixels: The images.
        features: The network's pooled features, from `feature_model`.
        batch_size: Images per forward pass.
    """
    return {GREY: describe_grey(pixels), FEATURES: forward(features, pixels, batch_size)[0]}
