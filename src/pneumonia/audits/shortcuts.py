"""What distinguishes the classes without looking for a finding: properties of the file, grey levels and borders."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from pneumonia.base.annotations import Floats, Pixels
from pneumonia.base.text import Labelled
from pneumonia.metrics.breakdowns import is_grey
from pneumonia.metrics.registry import Targets
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, stored_parts
from pneumonia.pixels.store import PixelStores, pixel_keys

BORDER = 0.06  # of the image's side: where collimators, letters and padding are
PERCENTS = (1, 5, 25, 50, 75, 95, 99)
FOLDS = 5


class Basis(Labelled):
    """What the class is predicted from: what is no finding, the rim, the site, or the network's probability."""

    SHAPE = "shape", "Width and height"
    ASPECT = "aspect", "Aspect ratio"
    FILE_SIZE = "file_size", "File size"
    MODE = "mode", "Stored mode"
    BRIGHTNESS = "brightness", "Mean brightness"
    BORDER = "border", "Border pixels"
    SHARPNESS = "sharpness", "Sharpness"
    PERCENTILES = "percentiles", "Percentiles of grey"
    RIM = "rim", "The rim of a thumbnail"
    ALL = "all", "All properties, linear"
    ALL_BOOSTED = "all_boosted", "All properties, boosted trees"
    SITE = "site", "The site alone"
    RIM_NETWORK = "rim_network", "A network on the rim alone"
    NETWORK = "network", "The network"


# What cannot see the lungs. The others describe the whole image: consolidation is a rise of grey levels.
BLIND = {Basis.SHAPE, Basis.ASPECT, Basis.MODE, Basis.BORDER, Basis.RIM, Basis.RIM_NETWORK}
FEATURE_SETS = {
    Basis.SHAPE: ["log_width", "log_height"],
    Basis.ASPECT: ["log_aspect"],
    Basis.FILE_SIZE: ["log_bytes"],
    Basis.MODE: ["stored_colour"],
    Basis.BRIGHTNESS: ["brightness"],
    Basis.BORDER: [
        *("top", "bottom", "left", "right"),
        *("top_spread", "bottom_spread", "left_spread", "right_spread"),
    ],
    Basis.SHARPNESS: ["log_sharpness"],
    Basis.PERCENTILES: [f"percentile_{percent}" for percent in PERCENTS],
}
FEATURE_SETS[Basis.ALL] = [name for names in FEATURE_SETS.values() for name in names]
FEATURE_SETS[Basis.ALL_BOOSTED] = FEATURE_SETS[Basis.ALL]
THUMBNAIL = 14  # grey values per side
RIM_FEATURES = [f"rim_{number}" for number in range(4 * (THUMBNAIL - 1))]
# Another place's images are also told by their rim: where views and devices differ, it shows how an image was taken.
ELSEWHERE = FEATURE_SETS | {Basis.RIM: RIM_FEATURES}


def file_features(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Describe each image file by width, height, aspect, size in bytes (logarithms) and stored mode (1: not grey)."""
    width, height = split_manifest["width"], split_manifest["height"]
    return pd.DataFrame(
        {
            "log_width": np.log(width),
            "log_height": np.log(height),
            "log_aspect": np.log(width / height),
            "log_bytes": np.log(split_manifest["bytes"]),
            "stored_colour": (~is_grey(split_manifest["mode"])).astype(float),
        }
    )


def pixel_features(images: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Describe each image by its grey levels (0 to 1), its four borders and its sharpness.

    Args:
        images: uint8 `[n, size, size, 1]`.

    Returns:
        One row per image: mean brightness, means and deviations of the borders, `PERCENTS`, and `log_sharpness`, the
        logarithm of 1 plus the variance of the Laplacian (in grey levels: Pertuz et al., Pattern Recognit. 46, 2013).
    """
    pixels = images[..., 0] / np.float32(255)
    width = max(1, round(BORDER * pixels.shape[1]))
    sides = {
        "top": pixels[:, :width],
        "bottom": pixels[:, -width:],
        "left": pixels[:, :, :width],
        "right": pixels[:, :, -width:],
    }
    columns = {"brightness": pixels.mean(axis=(1, 2))}
    columns |= {name: part.mean(axis=(1, 2)) for name, part in sides.items()}
    columns |= {f"{name}_spread": part.std(axis=(1, 2)) for name, part in sides.items()}
    columns["log_sharpness"] = np.log1p(_laplacian(images[..., 0].astype(np.float32)).var(axis=(1, 2)))
    levels = np.percentile(pixels, PERCENTS, axis=(1, 2))
    columns |= {f"percentile_{percent}": level for percent, level in zip(PERCENTS, levels, strict=True)}
    return pd.DataFrame(columns).astype(float)


def rim_features(images: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Describe each image by the outermost grey values of its 14 x 14 thumbnail, in columns `RIM_FEATURES`.

    The thumbnail is standardised, as the networks standardise images.

    Args:
        images: uint8 `[n, size, size, 1]`.
    """
    values = shrink(images, THUMBNAIL).astype(float)
    mean, spread = (found(values, axis=(1, 2), keepdims=True) for found in (np.mean, np.std))
    is_rim = np.ones((THUMBNAIL, THUMBNAIL), bool)
    is_rim[1:-1, 1:-1] = False
    return pd.DataFrame(((values - mean) / (spread + 1))[:, is_rim], columns=RIM_FEATURES)


def shrink(images: Pixels, side: int) -> Pixels:
    """Return images, uint8 `[n, size, size, 1]`, as means over areas, uint8 `[n, side, side]`."""
    small = [Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image) for image in small])


def _laplacian(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return, for inner pixels of `[n, height, width]`, the sum of the four neighbours less four times the pixel."""
    around = pixels[:, :-2, 1:-1] + pixels[:, 2:, 1:-1] + pixels[:, 1:-1, :-2] + pixels[:, 1:-1, 2:]
    return around - 4 * pixels[:, 1:-1, 1:-1]


def describe_shortcuts(split_manifest: pd.DataFrame, pixel_store: PixelStores, model_lineage: Lineage) -> pd.DataFrame:
    """Describe each image by its file, its grey levels, its borders and its sharpness.

    Args:
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.

    Returns:
        path, group, target, split and the columns of `FEATURE_SETS`, one row per image.
    """
    store = open_pixels(pixel_store, model_lineage)
    parts = [pixel_features(images) for images in stored_parts(store, pixel_keys(split_manifest))]
    keys = split_manifest[["path", "group", "target", "split"]].reset_index(drop=True)
    files = file_features(split_manifest).reset_index(drop=True)
    return pd.concat([keys, files, pd.concat(parts, ignore_index=True)], axis=1)


def can_be_crossed(rows: pd.DataFrame) -> bool:
    """Tell whether each class has enough groups for every fold."""
    groups = rows.groupby("target")["group"].nunique()
    return bool(groups.reindex([0, 1], fill_value=0).min() >= FOLDS)


def cross_validated_scores(name: Basis, features: pd.DataFrame, seed: int) -> Floats:
    """Score each row by a fit without its group: five folds, stratified by class, groups kept together.

    Args:
        name: Whose columns of `FEATURE_SETS` are used, and how they are fitted.
        features: Has these columns, `target` and `group`, `[n]`.
        seed: Seed of the folds and of the trees.

    Returns:
        Probability of the positive class, `[n]`.
    """
    return cross_validate(_make_fit(name, seed), _values_of(name, features), features, seed)


def cross_validate(fit: Any, values: Floats, rows: pd.DataFrame, seed: int) -> Floats:
    """Return the probability of each row's `target` by a fit to `values`, `[n, k]`, without its `group`, `[n]`."""
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    target, groups = rows["target"].to_numpy(), rows["group"].to_numpy()
    with _one_thread():
        return cross_val_predict(fit, values, target, groups=groups, cv=folds, method="predict_proba")[:, 1]


def held_out_scores(name: Basis, known: pd.DataFrame, unseen: pd.DataFrame, seed: int) -> Floats:
    """Score unseen rows by a fit on the known ones; probability of the positive class, `[n]`."""
    target: Targets = known["target"].to_numpy()
    with _one_thread():
        fitted = _make_fit(name, seed).fit(_values_of(name, known), target)
        return fitted.predict_proba(_values_of(name, unseen))[:, 1]


def _values_of(name: Basis, features: pd.DataFrame) -> Floats:
    return features[ELSEWHERE[name]].to_numpy(dtype=float)


def _one_thread() -> Any:
    """Keep OpenMP to one thread: where something else runs too, several wait for each other far longer."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def _make_fit(name: Basis, seed: int) -> Any:
    """Return boosted trees (Ke et al., NeurIPS 2017), which also see how properties go together, or a linear model."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name is Basis.ALL_BOOSTED:
        return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
