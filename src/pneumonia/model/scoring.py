"""The network's probability for every evaluated image, each predicted once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.images.grouping import UNKNOWN_ETIOLOGY
from pneumonia.images.sites import SITE
from pneumonia.model.lineage import Lineage, check_lineage, check_weights
from pneumonia.model.predict import forward, open_pixels, stored_parts
from pneumonia.pixels.store import PixelStore, PixelStores, pixel_keys

SCORED_SPLITS = ("val", "test")
SCORE_COLUMNS = ["path", "group", "label", "target", "etiology", "split"]


def check_model(
    pneumonia_model: Model, model_lineage: Lineage, split_manifest: pd.DataFrame, pixel_store: PixelStores
) -> Lineage:
    """Refuse a lineage, manifest or pixels that do not belong to the model.

    Args:
        pneumonia_model: The trained network.
        model_lineage: What it was made from.
        split_manifest: One row per image.
        pixel_store: Decoded images.

    Returns:
        The lineage.

    Raises:
        UserError: Naming the two that differ.
    """
    check_weights(model_lineage, pneumonia_model, "model_lineage")
    check_lineage(model_lineage, split_manifest)
    open_pixels(pixel_store, model_lineage)
    return model_lineage


def score_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict each validation and test image once.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from; its `etiologies` are in the order of the second output.
        parameters: `batch_size`.

    Returns:
        path, group, label, target, etiology, split, site if there are several, the network's `probability` of the
        positive class, the `likeliest_etiology` ("unknown" if the network distinguishes none), and `etiology_score`: of
        the probability of all etiologies, the share of the first.
    """
    chosen = split_manifest[split_manifest["split"].isin(SCORED_SPLITS)]
    store = open_pixels(pixel_store, model_lineage)
    return _score(pneumonia_model, chosen, store, parameters.batch_size, model_lineage["etiologies"])


def score_train_sample(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict a random sample of the training images, for comparison with the others.

    Arguments and columns are those of `score_images`; at most `train_images` rows.
    """
    train = split_manifest[split_manifest["split"] == "train"]
    sample = train.sample(min(parameters.train_images, len(train)), random_state=parameters.seed).sort_index()
    store = open_pixels(pixel_store, model_lineage)
    return _score(pneumonia_model, sample, store, parameters.batch_size, model_lineage["etiologies"])


def _score(
    model: Model, rows: pd.DataFrame, store: PixelStore, batch_size: int, etiologies: Sequence[str]
) -> pd.DataFrame:
    parts = [forward(model, part, batch_size) for part in stored_parts(store, pixel_keys(rows))]
    outputs = [np.concatenate(of_one) for of_one in zip(*parts, strict=True)]
    likeliest: object = UNKNOWN_ETIOLOGY
    score: object = np.nan
    if etiologies:
        kinds = outputs[1][:, 1:].astype(np.float64)  # column 0 is the negative
        likeliest = np.array(etiologies, dtype=object)[kinds.argmax(axis=1)]
        score = kinds[:, 0] / np.maximum(kinds.sum(axis=1), np.finfo(np.float32).tiny)
    columns = [*SCORE_COLUMNS, *([SITE] if SITE in rows else [])]
    scored = rows[columns].assign(probability=outputs[0][:, 0].astype(np.float64))
    scored = scored.assign(likeliest_etiology=likeliest, etiology_score=score)
    return scored.reset_index(drop=True)
