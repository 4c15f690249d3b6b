"""Whether maps depend on what a network has learned: they are compared with those of the same network, shuffled.

Maps that stay alike show the image, not the network (Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018).
"""

from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Floats, Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model.grad_cam import grad_cam
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.keys import pixel_keys
from pneumonia.pixels.store import PixelStores

MOST = 32  # positive test images


class MapSimilarity(TypedDict):
    """How alike the maps of `n` images are: Spearman's rank correlation, None without images; of `blank` ones, none."""

    n: int
    similarity: float | None
    lowest: float | None
    highest: float | None
    blank: NotRequired[int]  # missing from records of earlier releases


NOTHING: MapSimilarity = {"n": 0, "similarity": None, "lowest": None, "highest": None}


def compare_maps(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> MapSimilarity:
    """Compare the maps of positive test images with those after the values of each weight were shuffled.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `seed`.

    Returns:
        `n` images; `similarity`, the mean of Spearman's rank correlation of the two maps of each, with `lowest` and
        `highest` (None without images). Images with a map that is the same everywhere have no correlation: they are
        left out, and counted as `blank`.
    """
    test = split_manifest[(split_manifest["split"] == "test") & (split_manifest["target"] == 1)]
    chosen = test.sample(min(MOST, len(test)), random_state=parameters.seed).sort_index()
    if chosen.empty:
        return {**NOTHING, "blank": 0}
    store = open_pixels(pixel_store, model_lineage)
    images = store.read(store.rows(pixel_keys(chosen)))
    maps = (grad_cam(model, images) for model in (pneumonia_model, shuffle_weights(pneumonia_model, parameters.seed)))
    all_found = np.array([correlate_ranks(one, other) for one, other in zip(*maps, strict=True)])
    found = all_found[~np.isnan(all_found)]
    blank = len(all_found) - len(found)
    if not len(found):
        return {**NOTHING, "blank": blank}
    return {
        "n": len(found),
        "similarity": float(found.mean()),
        "lowest": float(found.min()),
        "highest": float(found.max()),
        "blank": blank,
    }


def shuffle_weights(model: Model, seed: int) -> Model:
    """Return a copy of a model in which the values of each of its weights are in another order."""
    import keras

    copy, rng = keras.models.clone_model(model), np.random.default_rng(seed)
    copy.set_weights([rng.permuted(weight.ravel()).reshape(weight.shape) for weight in model.get_weights()])
    return copy


def correlate_ranks(one: Floats, other: Floats) -> float:
    """Return Spearman's rank correlation of two maps; NaN where one of them is the same everywhere."""
    from scipy.stats import spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one.ravel(), other.ravel()).statistic)
