"""What tells the classes without looking for a finding, such as a file's size or its borders, beside the network."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from pneumonia.base.annotations import Floats, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.text import Labelled
from pneumonia.metrics.breakdowns import auc_row, is_grey, paired_loss
from pneumonia.metrics.registry import Targets
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, stored_parts
from pneumonia.pixels.store import PixelStores, pixel_keys

SIDES = ("top", "bottom", "left", "right")
BORDER = 0.06  # of the image's side: where collimators, letters and padding are
PERCENTS = (1, 5, 25, 50, 75, 95, 99)
FOLDS = 5
BEHIND = "behind_network"


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
    Basis.BORDER: [f"{side}{kind}" for kind in ("", "_spread") for side in SIDES],
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
    borders = (pixels[:, :width], pixels[:, -width:], pixels[:, :, :width], pixels[:, :, -width:])
    sides = dict(zip(SIDES, borders, strict=True))
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
    with _one_thread():
        fitted = _make_fit(name, seed).fit(_values_of(name, known), known["target"].to_numpy())
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


class Sample(Labelled):
    """The images on which a predictor was evaluated."""

    CROSS_VALIDATED = "cross_validated", "train + val, cross-validated"
    TEST = "test", "test"
    VAL = "val", "validation"
    LOW_THIRD = "test_low_third", "test, low third of the best shortcut's score"
    MIDDLE_THIRD = "test_middle_third", "test, middle third"
    HIGH_THIRD = "test_high_third", "test, high third"


THIRDS = (Sample.LOW_THIRD, Sample.MIDDLE_THIRD, Sample.HIGH_THIRD)


def audit_shortcuts(
    shortcut_features: pd.DataFrame, rim_scores: pd.DataFrame, scores: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Measure how well each shortcut alone predicts the class, compared with the network.

    A set of properties is evaluated by cross-validation on train and val (unless a class has fewer groups than folds),
    and on test after a fit to train and val; the rim network and the network itself on val and test.

    Args:
        shortcut_features: One row per image of every split.
        rim_scores: The first table of `regions.score_twins`, which may have no row.
        scores: The network's probabilities of validation and test.
        parameters: `seed`.

    Returns:
        predictor (a `Basis`), images (a `Sample`), auc, low, high, n, n_positive, n_groups; of shortcuts on test
        also `behind_network`: by how much the AUC is below the network's, with paired bounds. Last the network and the
        best shortcut within thirds of the latter's score (`thirds_of`); a gap where a third lacks a class.
    """
    known = shortcut_features[shortcut_features["split"] != "test"]
    test = shortcut_features[shortcut_features["split"] == "test"].drop(columns="split")
    network = scores[scores["split"] == "test"]
    on_test, rows = {}, []
    for name in FEATURE_SETS:
        if can_be_crossed(known):
            crossed = cross_validated_scores(name, known, parameters.seed)
            rows.append(auc_row(name, Sample.CROSS_VALIDATED, known, crossed))
        on_test[name] = test.assign(probability=held_out_scores(name, known, test, parameters.seed))
        rows.append(shortcut_row(name, Sample.TEST, on_test[name], network))
    if len(rim_scores):
        val = rim_scores[rim_scores["split"] == "val"]
        rows.append(auc_row(Basis.RIM_NETWORK, Sample.VAL, val, val["probability"].to_numpy()))
        on_test[Basis.RIM_NETWORK] = rim_scores[rim_scores["split"] == "test"]
        rows.append(shortcut_row(Basis.RIM_NETWORK, Sample.TEST, on_test[Basis.RIM_NETWORK], network))
    for split, part in scores.groupby("split", sort=False):
        rows.append(auc_row(Basis.NETWORK, Sample(split), part, part["probability"].to_numpy()))
    best = best_shortcut(pd.DataFrame(rows))
    return pd.DataFrame(rows + _within_thirds(best, on_test[best], network))


def best_shortcut(shortcut_audit: pd.DataFrame) -> Basis:
    """Return the shortcut with the highest AUC on test."""
    is_shortcut = shortcut_audit["predictor"] != Basis.NETWORK
    on_test = shortcut_audit[is_shortcut & (shortcut_audit["images"] == Sample.TEST)]
    return Basis(on_test.sort_values("auc", kind="stable")["predictor"].iloc[-1])


def shortcut_row(name: Basis, images: str, shortcut: pd.DataFrame, network: pd.DataFrame) -> dict[str, Any]:
    """Return the row of a shortcut on some images, with how far it lies behind the network on the same."""
    row = auc_row(name, images, shortcut, shortcut["probability"].to_numpy())
    return row | paired_loss(BEHIND, network[network["path"].isin(shortcut["path"])], shortcut)


def thirds_of(score: Floats, target: Targets) -> npt.NDArray[np.int64]:
    """Return the third in which each score lies, 0 to 2, `[n]`; equal scores lie in the same third.

    Both classes have equal weight: of unweighted thirds of a good score, all but one would contain only the larger
    class. The middle third then contains the images on which the score discriminates least.

    Args:
        score: Higher for the positive class, `[n]`.
        target: True class, 0 or 1, `[n]`.
    """
    values = np.unique(score, return_inverse=True)[1]
    weight = np.bincount(values, 1 / np.bincount(target)[target])
    middle = np.cumsum(weight) - weight / 2
    return np.minimum((3 * middle / weight.sum())[values].astype(int), 2)


def _within_thirds(best: Basis, shortcut: pd.DataFrame, network: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the network and the best shortcut on the thirds of its score."""
    third = thirds_of(shortcut["probability"].to_numpy(), shortcut["target"].to_numpy())
    rows = []
    for number, images in enumerate(THIRDS):
        part = shortcut[third == number]
        of_network = network[network["path"].isin(part["path"])]
        rows.append(auc_row(Basis.NETWORK, images, of_network, of_network["probability"].to_numpy()))
        rows.append(shortcut_row(best, images, part, network))
    return rows
