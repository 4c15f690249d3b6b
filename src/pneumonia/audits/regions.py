"""Whether the network needs the part of the image that shows heart and lungs."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.audits.rows import auc_row, paired_loss
from pneumonia.base.annotations import Model, Pixels
from pneumonia.base.labels import Labelled
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, predict_stored
from pneumonia.pixels.keys import pixel_keys
from pneumonia.pixels.store import PixelStores


class Region(Labelled):
    """Which part of an image the network sees."""

    WHOLE = "whole", "whole image"
    CENTRE_HIDDEN = "centre_hidden", "centre hidden"
    BORDER_HIDDEN = "border_hidden", "border hidden"


HIDDEN_REGIONS = (Region.CENTRE_HIDDEN, Region.BORDER_HIDDEN)
SCORE_COLUMNS = ["path", "group", "target", "view", "probability"]


def hide_regions(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict the test images with the centre hidden, and with all but the centre hidden.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `hidden_side`, `batch_size`.

    Returns:
        path, group, target, view (a `Region`), probability: one row per image and view.
    """
    store = open_pixels(pixel_store, model_lineage)
    test = split_manifest[split_manifest["split"] == "test"]
    parts = []
    for view in HIDDEN_REGIONS:

        def change(images: Pixels, _: int, view: Region = view) -> Pixels:
            return hide(images, parameters.hidden_side, view)

        probability = predict_stored(pneumonia_model, store, pixel_keys(test), parameters.batch_size, change)
        parts.append(test.assign(view=view, probability=probability)[SCORE_COLUMNS])
    return pd.concat(parts, ignore_index=True)


def measure_regions(hidden_scores: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Measure the network's AUC on test for each view of the images.

    Args:
        hidden_scores: The table of `hide_regions`.
        scores: Probabilities of the whole images.

    Returns:
        predictor (a `Region`), images, auc, low, high, n, n_positive, n_groups, and `behind_centre`: by how much the
        AUC is below that with all but the centre hidden, with paired bounds.
    """
    whole = scores[scores["split"] == "test"]
    parts = {Region.WHOLE: whole} | {view: hidden_scores[hidden_scores["view"] == view] for view in HIDDEN_REGIONS}
    centre = parts[Region.BORDER_HIDDEN]
    return pd.DataFrame(
        [
            auc_row(view, "test", rows, rows["probability"].to_numpy()) | paired_loss("behind_centre", centre, rows)
            for view, rows in parts.items()
        ]
    )


def hide(images: npt.NDArray[np.uint8], side: float, view: Region) -> npt.NDArray[np.uint8]:
    """Replace the centre of each image, or all but the centre, by the mean brightness of the rest.

    Args:
        images: uint8 `[n, size, size, 1]`.
        side: Side of the central square as a share of the image's side.
        view: Which of the two is hidden.

    Returns:
        New images, uint8 `[n, size, size, 1]`.
    """
    size = images.shape[1]
    margin = max(1, round(size * (1 - side) / 2))
    hidden = np.zeros((size, size, 1), dtype=bool)
    hidden[margin : size - margin, margin : size - margin] = True
    hidden = hidden if view is Region.CENTRE_HIDDEN else ~hidden
    visible_mean = images[:, ~hidden].mean(axis=1).round().astype(np.uint8)
    return np.where(hidden, visible_mean[:, None, None, None], images)
