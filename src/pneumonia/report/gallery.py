"""The gallery: chosen test images, each beside a map of what supports the positive class."""

import base64
import io
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from pneumonia.base.annotations import Figure, Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import grad_cam, open_pixels
from pneumonia.pixels.store import PixelStores, pixel_keys
from pneumonia.report.style import new_figure
from pneumonia.report.words import say_number


class Outcome(StrEnum):
    """The outcome for an image."""

    RIGHT = "right"
    FALSE_ALARM = "false_alarm"
    MISS = "miss"


OUTCOME_TITLES = {Outcome.MISS: "Missed", Outcome.FALSE_ALARM: "False alarms", Outcome.RIGHT: "Right"}
OUTCOME_LABELS = {Outcome.RIGHT: "right", Outcome.FALSE_ALARM: "false alarm", Outcome.MISS: "missed"}


def choose_gallery(predictions: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Choose test images to look at: right ones of both classes, false alarms, misses; most confident first.

    Confidence is the probability of the class that the image was called.

    Args:
        predictions: One row per image.
        parameters: `gallery_images`, the number of each kind.

    Returns:
        The chosen rows of `predictions` with `kind`, an `Outcome`. One image per group, so that a kind does not show
        one child only. Half of the right ones are from each class.
    """
    test = predictions[predictions["split"] == "test"]
    confidence = test["probability"].where(test["decision"] == 1, 1 - test["probability"])
    test = test.assign(confidence=confidence).sort_values(["confidence", "path"], ascending=[False, True])
    is_right, is_alarm = test["decision"] == test["target"], test["target"] == 0
    test = test.assign(kind=np.select([is_right, is_alarm], [Outcome.RIGHT, Outcome.FALSE_ALARM], Outcome.MISS))
    test = test.drop_duplicates(["group", "kind"])
    n = parameters.gallery_images
    right = test[test["kind"] == Outcome.RIGHT].groupby("target", group_keys=False).head((n + 1) // 2).head(n + n % 2)
    parts = [right.sort_values("target", kind="stable", ascending=False).head(n)]
    parts += [test[test["kind"] == kind].head(n) for kind in (Outcome.FALSE_ALARM, Outcome.MISS)]
    return pd.concat(parts, ignore_index=True).drop(columns="confidence")


def draw_gallery_maps(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    gallery: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Overlay the map of what supports the positive class on each chosen image.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        gallery: The chosen images.

    Returns:
        The rows of `gallery` as records, with `image` and `overlay`: pictures as data URIs.
    """
    shown = split_manifest.set_index("path").loc[gallery["path"]]
    store = open_pixels(pixel_store, model_lineage)
    images = store.read(store.rows(pixel_keys(shown)))
    maps = grad_cam(pneumonia_model, images)
    known = gallery.astype(object).where(gallery.notna(), None)  # JSON has no NaN
    return [
        {**record, "image": webp_uri(image[..., 0]), "overlay": webp_uri(overlay(image[..., 0], cam))}
        for record, image, cam in zip(known.to_dict("records"), images, maps, strict=True)
    ]


def overlay(image: npt.NDArray[np.uint8], cam: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Lay a map over an image: nothing where it is below a quarter, warmer and denser towards its peak.

    Args:
        image: Grey values, uint8 `[size, size]`.
        cam: The map, 0 to 1, `[size, size]`.

    Returns:
        Colours, uint8 `[size, size, 3]`.
    """
    import matplotlib as mpl

    grey = np.repeat(image[..., None] / 255.0, 3, axis=2)
    colour = mpl.colormaps["inferno"](0.35 + 0.6 * cam)[..., :3]
    opacity = 0.55 * np.clip((cam - 0.25) / 0.75, 0, 1)[..., None]
    return np.rint(255 * ((1 - opacity) * grey + opacity * colour)).astype(np.uint8)


def webp_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Encode a picture as a data URI: WebP, which keeps 60 images of 224 pixels under half a megabyte."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=88, method=6)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def draw_gallery(gallery_maps: list[dict[str, Any]]) -> Figure:
    """Draw the gallery as one figure: a row for each kind present, image and map side by side."""
    listed = {kind: [record for record in gallery_maps if record["kind"] == kind] for kind in Outcome}
    rows = [records for records in listed.values() if records]
    columns = max(len(records) for records in rows)
    figure, axes = new_figure(2.1 * columns, 1.4 * len(rows), rows=len(rows), columns=columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for panels, records in zip(axes, rows, strict=True):
        for ax, record in zip(panels, records, strict=False):
            ax.imshow(np.concatenate([_pixels(record["image"]), _pixels(record["overlay"])], axis=1))
            ax.set_title(f"{OUTCOME_LABELS[record['kind']]}: {say_number(record['probability'], 2)}", fontsize=8)
    return figure


def _pixels(data_uri: str) -> npt.NDArray[np.uint8]:
    """Decode a picture of `webp_uri`, uint8 `[height, width, 3]`."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data_uri.split(",")[1]))).convert("RGB"))
