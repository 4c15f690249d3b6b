"""Nodes that show where the network looks: lesions that are known, maps of chosen images, hits."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Figure, Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.images.source import ImageSource
from pneumonia.metrics.intervals import estimate_rate
from pneumonia.model.grad_cam import boxes_in_frame, grad_cam, point_at
from pneumonia.model.predict import PART, open_pixels
from pneumonia.pixels.store import PixelStores

BOX_COLUMNS = ["left", "top", "right", "bottom"]
LESION_COLUMNS = ["path", *BOX_COLUMNS]
LESIONS_FILE = "lesions.csv"
KINDS = ("right", "false alarm", "miss")
FOCAL = "bacteria"  # the etiology whose consolidation is in one place


def choose_gallery(predictions: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Choose test images to look at: right ones of both classes, false alarms, misses; most confident first.

    Args:
        predictions: One row an image.
        parameters: `gallery_images`, the number of each kind.

    Returns:
        The chosen rows of `predictions` with `kind` ("right", "false alarm" or "miss"). One image a group, so
        that a kind is not one child's series. The right ones are half of either class.
    """
    test = predictions[predictions["split"] == "test"]
    away = (test["calibrated_probability"] - 0.5).abs()
    test = test.assign(away=away).sort_values(["away", "path"], ascending=[False, True])
    test = test.assign(kind=np.select([test["decision"] == test["target"], test["target"] == 0], KINDS[:2], KINDS[2]))
    test = test.drop_duplicates(["group", "kind"])
    n = parameters.gallery_images
    right = test[test["kind"] == "right"].groupby("target", group_keys=False).head((n + 1) // 2).head(n + n % 2)
    parts = [right.sort_values("target", kind="stable", ascending=False).head(n)]
    parts += [test[test["kind"] == kind].head(n) for kind in KINDS[1:]]
    return pd.concat(parts, ignore_index=True).drop(columns="away")


def draw_gallery_maps(
    pneumonia_model: Model, split_manifest: pd.DataFrame, pixel_store: PixelStores, gallery: pd.DataFrame
) -> list[dict[str, Any]]:
    """Overlay the map of what speaks for the positive class on each chosen image.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row an image.
        pixel_store: Decoded images.
        gallery: The chosen images.

    Returns:
        The rows of `gallery` as records, with `image` and `overlay`: pictures as data URIs.
    """
    sha256s = split_manifest.set_index("path").loc[gallery["path"], "sha256"]
    store = open_pixels(pixel_store, pneumonia_model.lineage)
    images = store.read(store.rows(sha256s))
    maps = grad_cam(pneumonia_model, images)
    return [
        {**record, "image": _data_uri(image[..., 0]), "overlay": _data_uri(overlay(image[..., 0], cam))}
        for record, image, cam in zip(gallery.to_dict("records"), images, maps, strict=True)
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


def _data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Encode a picture as a data URI: WebP, which keeps 60 images of 224 pixels under half a megabyte."""
    import base64

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=88, method=6)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def draw_gallery(gallery_maps: list[dict[str, Any]]) -> Figure:
    """Draw the gallery as one figure: a row for each kind that there is, image and map side by side."""
    from pneumonia.report.style import new_figure

    listed = {kind: [record for record in gallery_maps if record["kind"] == kind] for kind in KINDS}
    rows = [records for records in listed.values() if records]
    columns = max(len(records) for records in rows)
    figure, axes = new_figure(2.1 * columns, 1.4 * len(rows), rows=len(rows), columns=columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for panels, records in zip(axes, rows, strict=True):
        for ax, record in zip(panels, records, strict=False):
            ax.imshow(np.concatenate([_pixels(record["image"]), _pixels(record["overlay"])], axis=1))
            ax.set_title(f"{record['kind']}: {record['calibrated_probability']:.2f}", fontsize=8)
    return figure


def _pixels(data_uri: str) -> npt.NDArray[np.uint8]:
    """Decode a picture of `_data_uri`, uint8 `[height, width, 3]`."""
    import base64

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data_uri.split(",")[1]))).convert("RGB"))


def read_lesions(chest_xrays: ImageSource, split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Read where the lesions are, if the source says so in `lesions.csv` beside its split folders.

    Args:
        chest_xrays: The source of the images.
        split_manifest: One row an image; boxes of other images are left out.

    Returns:
        path, left, top, right, bottom (shares of the file's width and height). No row where the source is silent.
    """
    listed = chest_xrays.read_side_file(LESIONS_FILE)
    if listed is None:
        return pd.DataFrame(columns=LESION_COLUMNS)
    boxes = pd.read_csv(io.BytesIO(listed))
    known = boxes["path"].isin(split_manifest["path"])
    return boxes.loc[known, LESION_COLUMNS].sort_values(LESION_COLUMNS, ignore_index=True)


def measure_pointing(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    lesions: pd.DataFrame,
    model_lineage: dict[str, Any],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure how often the map's peak lies on a known focal lesion of a test image.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row an image.
        pixel_store: Decoded images.
        lesions: Boxes of lesions, none for most sources.
        model_lineage: `resize` says how files became squares.
        parameters: `resamples`, `seed`.

    Returns:
        `n`, `n_groups`, `hits` (share with interval) and `lesion_share`: the mean share of the image in the
        boxes, which is what peaks at random would hit. `n` is 0 and the rest None without lesions.
    """
    focal = split_manifest[(split_manifest["split"] == "test") & (split_manifest["etiology"] == FOCAL)]
    focal = focal[focal["path"].isin(lesions["path"])]
    boxes = dict(list(lesions.groupby("path")))
    store = open_pixels(pixel_store, model_lineage)
    results = []
    for start in range(0, len(focal), PART):
        rows = focal.iloc[start : start + PART]
        maps = grad_cam(pneumonia_model, store.read(store.rows(rows["sha256"])))
        for cam, row in zip(maps, rows.itertuples(), strict=True):
            frame = boxes_in_frame(boxes[row.path], row.width, row.height, model_lineage["resize"])
            results.append(point_at(cam, frame))
    hits, shares = np.array(results, dtype=float).reshape(-1, 2).T
    groups = focal["group"].to_numpy()
    return {
        "n": len(focal),
        "n_groups": len(np.unique(groups)),
        "hits": estimate_rate(hits, groups, parameters.resamples, parameters.seed),
        "lesion_share": float(shares.mean()) if len(shares) else None,
    }
