"""Whether the network's maps peak on lesions that the source lists, and depend on what the network has learned.

For the latter they are compared with those of the same network, shuffled. Maps that stay alike show the image, not the
network (Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018).
"""

import logging
from collections.abc import Collection
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats, Model
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.images.source import ImageSource
from pneumonia.images.tables import Table, find_named, read_variants
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.registry import Estimate
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import PART, grad_cam, open_pixels
from pneumonia.pixels.decoding import Resize
from pneumonia.pixels.store import PixelStores, pixel_keys

logger = logging.getLogger(__name__)

BOX_COLUMNS = ["left", "top", "right", "bottom"]
LESION_COLUMNS = ["path", *BOX_COLUMNS]
LESIONS_FILE = "lesions.csv"
MOST = 32  # positive test images
Boxes = npt.NDArray[np.float64]


class Pointing(TypedDict):
    """How often maps peak on a known lesion; see `measure_pointing`."""

    n: int
    n_groups: int
    hits: Estimate
    lesion_share: float | None
    others_share: NotRequired[float | None]  # missing from records of earlier releases


def read_lesions(chest_xrays: ImageSource, split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Read the positions of lesions, if the source lists them in `lesions.csv` beside its split folders.

    Args:
        chest_xrays: The source of the images.
        split_manifest: One row per image; boxes of other images are left out.

    Returns:
        path, left, top, right, bottom (shares of the file's width and height). No rows if the source lists none or is
        gone: a model can be evaluated without it.

    Raises:
        UserError: If the file is there and cannot be read.
    """
    try:
        _ = chest_xrays.listing
    except UserError as error:
        logger.debug("Maps are not compared with known lesions: %s", error.message)
        return pd.DataFrame(columns=LESION_COLUMNS)
    listed = chest_xrays.read_side_file(LESIONS_FILE)
    if listed is None:
        return pd.DataFrame(columns=LESION_COLUMNS)
    found = [_read_boxes(table, set(split_manifest["path"])) for table in read_variants(listed, LESIONS_FILE)]
    boxes = max(found, key=len)  # in the right encoding, most paths fit
    return boxes.sort_values(LESION_COLUMNS, ignore_index=True)


def _read_boxes(table: Table, paths: Collection[str]) -> pd.DataFrame:
    """Read the boxes of these images.

    Raises:
        UserError: If columns are missing, or the sides of a box are no fractions of an image.
    """
    path, *sides = find_named(table, LESIONS_FILE, LESION_COLUMNS)
    boxes = []
    for row, line in zip(table.rows, table.lines, strict=True):
        if row[path] not in paths:
            continue
        try:
            left, top, right, bottom = (float(row[side].replace(",", ".")) for side in sides)
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                raise ValueError("no part of an image")
        except ValueError as error:
            raise UserError(
                f"{LESIONS_FILE}, line {line}: left, top, right and bottom must be fractions of the image's width and "
                "height, from 0 to 1. Write them so, or remove the file."
            ) from error
        boxes.append((row[path], left, top, right, bottom))
    return pd.DataFrame(boxes, columns=LESION_COLUMNS)


def measure_pointing(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    lesions: pd.DataFrame,
    model_lineage: Lineage,
) -> Pointing:
    """Measure how often the map's peak lies on a known lesion of a positive test image.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        lesions: Boxes of lesions, none for most sources.
        model_lineage: What the model was made from; its `resize` made the files square.

    Returns:
        `n`, `n_groups`, `hits` (share with interval); `lesion_share`, the mean share of the image in the boxes, which
        random peaks would hit; `others_share`, how often the peaks of the other images' maps would, which lie where the
        network's maps peak whatever the image. Without lesions, `n` is 0 and the rest None.
    """
    store = open_pixels(pixel_store, model_lineage)
    test = split_manifest[(split_manifest["split"] == "test") & (split_manifest["target"] == 1)]
    listed = test[test["path"].isin(lesions["path"])]
    boxes = dict(list(lesions.groupby("path")))
    results, peaks, frames = [], [], []
    for start in range(0, len(listed), PART):
        rows = listed.iloc[start : start + PART]
        maps = grad_cam(pneumonia_model, store.read(store.rows(pixel_keys(rows))))
        for cam, row in zip(maps, rows.itertuples(), strict=True):
            frame = boxes_in_frame(boxes[row.path], row.width, row.height, model_lineage["resize"])
            results.append(point_at(cam, frame))
            peaks.append(peak_of(cam))
            frames.append(frame)
    hits, shares = np.array(results, dtype=float).reshape(-1, 2).T
    groups = listed["group"].to_numpy()
    return {
        "n": len(listed),
        "n_groups": len(np.unique(groups)),
        "hits": estimate_rate(hits, groups),
        "lesion_share": float(shares.mean()) if len(shares) else None,
        "others_share": hits_of_others(np.array(peaks), frames),
    }


def hits_of_others(peaks: Floats, frames: list[Boxes]) -> float | None:
    """Return how often the peak of another image's map lies in the boxes of an image; None for fewer than two images.

    Args:
        peaks: Row and column of each image's peak, as shares of the square, `[n, 2]`.
        frames: Boxes of each image.
    """
    if len(frames) < 2:
        return None
    hit = []
    for number, boxes in enumerate(frames):
        row, column = np.delete(peaks, number, axis=0).T[:, :, None]
        across, down = (column >= boxes[:, 0]) & (column < boxes[:, 2]), (row >= boxes[:, 1]) & (row < boxes[:, 3])
        hit.append(np.any(across & down, axis=1).mean())
    return float(np.mean(hit))


def boxes_in_frame(lesions: pd.DataFrame, width: int, height: int, resize: Resize) -> Boxes:
    """Move boxes from the image file to the decoded square.

    Args:
        lesions: Columns left, top, right, bottom as shares of the file's width and height.
        width: Width of the file in pixels.
        height: Height of the file in pixels.
        resize: How the image was made square.

    Returns:
        Left, top, right, bottom as shares of the square, `[n, 4]`, cut at its edges. A box of 0.5 to 1.0 from
        the left in a file of 100 x 200 is at 0.5 to 0.75 after padding.
    """
    boxes = lesions[BOX_COLUMNS].to_numpy(dtype=float)
    if resize == "squeeze":
        return boxes
    side = max(width, height) if resize == "pad" else min(width, height)
    scale = np.array([width, height, width, height]) / side
    return np.clip(0.5 + (boxes - 0.5) * scale, 0, 1)


def peak_of(cam: Floats) -> Floats:
    """Return row and column of a map's peak, as shares of the square; of a plateau, its middle."""
    places: Floats = np.argwhere(cam == cam.max()).mean(axis=0)
    return (places + 0.5) / len(cam)


def point_at(cam: Floats, boxes: Boxes) -> tuple[bool, float]:
    """Tell whether the peak of a map lies in one of the boxes.

    Args:
        cam: The map, `[size, size]`.
        boxes: Left, top, right, bottom as shares of the square, `[n, 4]`.

    Returns:
        Whether it does (never for a map that is 0 everywhere), and the share of the square in the boxes: how often a
        random peak would.
    """
    size = len(cam)
    centres = (np.arange(size) + 0.5) / size
    across = (centres >= boxes[:, :1]) & (centres < boxes[:, 2:3])
    down = (centres >= boxes[:, 1:2]) & (centres < boxes[:, 3:])
    inside: npt.NDArray[np.bool_] = np.any(down[:, :, None] & across[:, None, :], axis=0)
    row, column = peak_of(cam)
    is_within = (column >= boxes[:, 0]) & (column < boxes[:, 2]) & (row >= boxes[:, 1]) & (row < boxes[:, 3])
    return bool(cam.max() > 0 and is_within.any()), float(inside.mean())


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
