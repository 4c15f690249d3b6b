"""Figures of the inputs pipeline."""

from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.base.parameters import InputsParameters
from pneumonia.pixels.store import PixelStores, pixel_keys
from pneumonia.report.style import CLASS_COLOURS, MUTED, new_figure

PER_ROW = 4

IMAGES = 2 * PER_ROW


def draw_batch(
    split_manifest: pd.DataFrame, pixel_store: PixelStores, parameters: InputsParameters, seed: int
) -> Figure:
    """Draw the first images of a training's first epoch, as stored and as the network sees them.

    Args:
        split_manifest: One row per image.
        pixel_store: Has the pixels.
        parameters: Size of the pixels, resize method and augmentation.
        seed: The training's.
    """
    from pneumonia.pixels.augmentation import N_DRAWS, augment
    from pneumonia.pixels.batches import plan_epoch

    store = pixel_store.open(parameters.image_size, parameters.resize)
    train = split_manifest[split_manifest["split"] == "train"]
    order, draws = (tensor.numpy() for tensor in plan_epoch(len(train), seed, 0, N_DRAWS))
    rows = order[:IMAGES]
    chosen = train.iloc[rows]
    images = store.read(store.rows(pixel_keys(chosen)))
    augmented = augment(images, draws[rows], parameters.augmentation).numpy()
    return _draw_pairs(chosen, images, augmented)


def _draw_pairs(rows: pd.DataFrame, images: npt.NDArray[np.uint8], augmented: npt.NDArray[np.uint8]) -> Figure:
    """Draw each image above its augmented self, with its label and file name."""
    figure, axes = new_figure(7.6, 8.6, IMAGES // PER_ROW, PER_ROW)
    gap = np.full_like(images[:, :3], 255)
    pairs = np.concatenate([images, gap, augmented], axis=1)[..., 0]
    for panel, pair, row in zip(axes.flat, pairs, rows.itertuples(), strict=False):
        panel.imshow(pair, cmap="gray", vmin=0, vmax=255)
        panel.set(xticks=[], yticks=[])
        panel.grid(visible=False)
        panel.spines[:].set_visible(False)
        panel.set_title(row.label, color=CLASS_COLOURS[row.target], loc="left", fontsize=9.5, pad=13)
        name = PurePosixPath(row.path).name
        panel.annotate(name, (0, 1), (0, 4), "axes fraction", "offset points", color=MUTED, fontsize=6.8)
    for panel in axes.flat[len(rows) :]:
        panel.set_visible(False)
    for panel in axes[:, 0]:
        panel.set_yticks([len(images[0]) / 2, 1.5 * len(images[0]) + 3], ["as stored", "augmented"])
        panel.tick_params(axis="y", rotation=90, labelcolor=MUTED, labelsize=8.5)
        for label in panel.get_yticklabels():
            label.set_va("center")
    figure.suptitle("The first images of the first epoch", fontsize=10.5, fontweight="bold")
    return figure
