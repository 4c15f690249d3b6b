"""How often the peak of the network's map lies on a lesion that the source lists."""

import io
import logging
from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.images.source import ImageSource
from pneumonia.metrics.intervals import estimate_rate
from pneumonia.model.grad_cam import boxes_in_frame, grad_cam, point_at
from pneumonia.model.predict import PART
from pneumonia.pixels.decoding import Resize
from pneumonia.pixels.store import PixelStore

logger = logging.getLogger(__name__)

BOX_COLUMNS = ["left", "top", "right", "bottom"]
LESION_COLUMNS = ["path", *BOX_COLUMNS]
LESIONS_FILE = "lesions.csv"


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
        logger.warning("Maps are not compared with known lesions: %s", error.message)
        return pd.DataFrame(columns=LESION_COLUMNS)
    listed = chest_xrays.read_side_file(LESIONS_FILE)
    if listed is None:
        return pd.DataFrame(columns=LESION_COLUMNS)
    boxes = pd.read_csv(io.BytesIO(listed))
    known = boxes["path"].isin(split_manifest["path"])
    return boxes.loc[known, LESION_COLUMNS].sort_values(LESION_COLUMNS, ignore_index=True)


def measure_pointing(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStore,
    lesions: pd.DataFrame,
    resize: Resize,
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure how often the map's peak lies on a known lesion of a positive test image.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Decoded images.
        lesions: Boxes of lesions, none for most sources.
        resize: How files became squares.
        parameters: `resamples`, `seed`.

    Returns:
        `n`, `n_groups`, `hits` (share with interval) and `lesion_share`: the mean share of the image in the boxes,
        which random peaks would hit. Without lesions, `n` is 0 and the rest None.
    """
    test = split_manifest[(split_manifest["split"] == "test") & (split_manifest["target"] == 1)]
    listed = test[test["path"].isin(lesions["path"])]
    boxes = dict(list(lesions.groupby("path")))
    results = []
    for start in range(0, len(listed), PART):
        rows = listed.iloc[start : start + PART]
        maps = grad_cam(pneumonia_model, pixel_store.read(pixel_store.rows(rows["sha256"])))
        for cam, row in zip(maps, rows.itertuples(), strict=True):
            frame = boxes_in_frame(boxes[row.path], row.width, row.height, resize)
            results.append(point_at(cam, frame))
    hits, shares = np.array(results, dtype=float).reshape(-1, 2).T
    groups = listed["group"].to_numpy()
    return {
        "n": len(listed),
        "n_groups": len(np.unique(groups)),
        "hits": estimate_rate(hits, groups),
        "lesion_share": float(shares.mean()) if len(shares) else None,
    }
