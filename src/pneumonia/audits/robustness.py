"""What a network loses on corrupted images: its AUC, sensitivity and specificity, kind by kind."""

from itertools import product

import pandas as pd

from pneumonia.audits.corruption import KINDS, STRENGTHS, UNDAMAGED, corrupt
from pneumonia.audits.rows import decided_row, paired_loss
from pneumonia.base.annotations import Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.progress import follow
from pneumonia.metrics.decisions import Decision
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, predict_stored
from pneumonia.pixels.keys import pixel_keys
from pneumonia.pixels.store import PixelStores

SCORE_COLUMNS = ["path", "group", "target", "kind", "strength", "probability"]
ROBUSTNESS_COLUMNS = [
    *("kind", "strength", "auc", "low", "high", "loss", "loss_low", "loss_high"),
    *("sensitivity", "specificity", "n", "n_groups"),
]


def damage_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict a sample of the test images, corrupted in each way.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `robustness`, `robustness_images`, `batch_size`, `seed`.

    Returns:
        path, group, target, kind, strength, probability: one row per image, kind and strength. No rows if the parameter
        `robustness` is off.
    """
    if not parameters.robustness:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    store = open_pixels(pixel_store, model_lineage)
    test = split_manifest[split_manifest["split"] == "test"]
    sample = test.sample(min(parameters.robustness_images, len(test)), random_state=parameters.seed).sort_index()
    ways, parts = list(product(KINDS, STRENGTHS)), []
    with follow(len(ways) * len(sample), "Corrupting test images") as advance:
        for kind, strength in ways:

            def change(images: Pixels, first: int, kind: str = kind, strength: int = strength) -> Pixels:
                return corrupt(images[..., 0], kind, strength, parameters.seed, first)[..., None]

            probability = predict_stored(pneumonia_model, store, pixel_keys(sample), parameters.batch_size, change)
            parts.append(sample.assign(kind=kind, strength=strength, probability=probability)[SCORE_COLUMNS])
            advance(len(sample))
    return pd.concat(parts, ignore_index=True)


def measure_robustness(damaged_scores: pd.DataFrame, scores: pd.DataFrame, decision: Decision) -> pd.DataFrame:
    """Measure the network on corrupted test images and on the same images unmodified.

    Args:
        damaged_scores: The table of `damage_images`.
        scores: The network's own probabilities of the unmodified images.
        decision: The record by which probabilities become decisions.

    Returns:
        kind, strength (0: unmodified), auc, low, high, `loss` of AUC with its paired bounds, sensitivity, specificity,
        n, n_groups. No rows if nothing was corrupted.
    """
    if damaged_scores.empty:
        return pd.DataFrame(columns=ROBUSTNESS_COLUMNS)
    clean = scores[scores["path"].isin(damaged_scores["path"])]
    parts = [((UNDAMAGED, 0), clean), *damaged_scores.groupby(["kind", "strength"], sort=False)]
    rows = [
        {"kind": kind, "strength": strength, **decided_row(images, decision), **paired_loss("loss", clean, images)}
        for (kind, strength), images in parts
    ]
    return pd.DataFrame(rows)[ROBUSTNESS_COLUMNS]
