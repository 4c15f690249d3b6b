"""How a network ranks validation images whose framing or style says nothing about their class, or points to the other.

Healthy and ill children were framed differently in the published images, so a network may recognise the classes by the
position of the picture's edges, and no unmodified image would reveal it. Each judge reframes the negatives, the
positives, or both, and lets the network rank them against the other images, which are unchanged.

A framing is a window, measured in shares of the image's sides, that is stretched to the whole square. If the window
reaches beyond the image, the border is a reflection of the image or black. The lungs do not change; only their
position, their size and their surroundings do.

Further judges give negatives the grey levels and the sharpness of positives (`pneumonia.audits.style`).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from pneumonia.audits.style import restyle
from pneumonia.base.annotations import Floats, Model, Pixels
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.progress import follow
from pneumonia.base.text import Labelled
from pneumonia.metrics.breakdowns import decided_row, paired_loss
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.metrics import ranking_metrics
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import open_pixels, predict
from pneumonia.pixels.store import PixelStores, pixel_keys

Border = Literal["reflected", "black"]
PAD_MODES: dict[Border, Literal["reflect", "constant"]] = {"reflected": "reflect", "black": "constant"}


@dataclass(frozen=True)
class Framing:
    """The window that fills the square: its edges as shares of the image's sides, 0 and 1 being the image's own."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0
    border: Border = "reflected"

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        if self.bottom <= self.top or self.right <= self.left:
            raise ValueError(f"{self} shows nothing")


def cut(top: float, side: float, kept: float) -> Framing:
    """Cut off the uppermost `top` of the rows, `side` of the columns on both sides, and the lowest `1 - kept`.

    Cutting off neck, shoulders and belly turns a loosely framed child into a tightly framed one.
    """
    return Framing(top, kept, side, 1 - side)


def widen(framing: Framing) -> Framing:
    """Undo a framing: show the whole image in the place of the framing's window, so that every landmark moves back.

    With `t` and `b` the edges of a window, the framing takes the height `y` to `(y - t) / (b - t)`. Its inverse is the
    window from `-t / (b - t)` to `(1 - t) / (b - t)`. What a cut removed cannot be known; a reflection replaces it.
    """
    height, width = framing.bottom - framing.top, framing.right - framing.left
    return Framing(-framing.top / height, (1 - framing.top) / height, -framing.left / width, (1 - framing.left) / width)


def zoom(factor: float, border: Border = "reflected") -> Framing:
    """Magnify about the centre: at 1.25 the inner 80% of the sides fill the square, at 0.75 a border is added."""
    margin = (1 - 1 / factor) / 2
    return Framing(margin, 1 - margin, margin, 1 - margin, border)


UNTOUCHED = Framing()


def reframe(images: npt.NDArray[np.uint8], framing: Framing) -> npt.NDArray[np.uint8]:
    """Show images through another window, resized to the square by antialiased bilinear interpolation.

    Args:
        images: uint8 `[n, size, size, 1]`; not changed.
        framing: The window.

    Returns:
        New images, uint8 `[n, size, size, 1]`.
    """
    size = images.shape[1]
    margin = math.ceil(size * max(0.0, -framing.top, framing.bottom - 1, -framing.left, framing.right - 1))
    padded = np.pad(images[..., 0], ((0, 0), (margin, margin), (margin, margin)), mode=PAD_MODES[framing.border])
    shares = (framing.left, framing.top, framing.right, framing.bottom)
    left, top, right, bottom = (size * share + margin for share in shares)
    reframed = np.empty_like(images)
    for row, image in enumerate(padded):
        # Pillow's bilinear filter widens with the step between pixels, which prevents aliasing.
        window = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        reframed[row, ..., 0] = np.asarray(window)
    return reframed


Predict = Callable[[Pixels], Floats]


class Shown(Labelled):
    """How images are shown: as they are, cut, the cuts undone, magnified, made small, or in the style of the others."""

    WHOLE = "whole", "as they are"
    CUT_15 = "cut_top_15", "top 15% cut off"
    CUT_25 = "cut_top_25", "top 25% cut off"
    CUT_ROUND = "cut_top_15_sides_5_bottom_15", "top 15%, sides 5%, bottom 15% cut off"
    CUT_25_SIDES = "cut_top_25_sides_10", "top 25%, sides 10% cut off"
    WIDE_15 = "wide_top_15", "top 15% added"
    WIDE_25 = "wide_top_25", "top 25% added"
    WIDE_ROUND = "wide_top_15_sides_5_bottom_15", "top 15%, sides 5%, bottom 15% added"
    WIDE_25_SIDES = "wide_top_25_sides_10", "top 25%, sides 10% added"
    INNER_80 = "inner_80", "inner 80%, enlarged"
    INNER_60 = "inner_60", "inner 60%, enlarged"
    SMALL_REFLECTED = "small_75_reflected", "at 75%, on its mirror image"
    SMALL_BLACK = "small_75_black", "at 75%, on black"
    FIELD_125 = "small_80_black", "at 80%, on black"
    TONED = "toned", "grey levels of a positive"
    STYLED = "styled", "grey levels and sharpness of a positive"
    CUT_STYLED = "cut_styled", "cut; grey levels and sharpness of a positive"


CUTS = {
    Shown.CUT_15: cut(0.15, 0.0, 1.0),
    Shown.CUT_25: cut(0.25, 0.0, 1.0),
    Shown.CUT_ROUND: cut(0.15, 0.05, 0.85),
    Shown.CUT_25_SIDES: cut(0.25, 0.10, 1.0),
}
WIDE = dict(
    zip(
        (Shown.WIDE_15, Shown.WIDE_25, Shown.WIDE_ROUND, Shown.WIDE_25_SIDES),
        (widen(framing) for framing in CUTS.values()),
        strict=True,
    )
)
ZOOMS = {
    Shown.INNER_80: zoom(1.25),
    Shown.INNER_60: zoom(1 / 0.6),
    Shown.SMALL_REFLECTED: zoom(0.75),
    Shown.SMALL_BLACK: zoom(0.75, "black"),
    Shown.FIELD_125: zoom(0.8, "black"),
}
STYLES = {Shown.TONED: UNTOUCHED, Shown.STYLED: UNTOUCHED, Shown.CUT_STYLED: CUTS[Shown.CUT_ROUND]}
FRAMINGS: dict[Shown, Framing] = {Shown.WHOLE: UNTOUCHED, **CUTS, **WIDE, **ZOOMS, **STYLES}


class Change(Labelled):
    """What a judge does to which class."""

    UNTOUCHED = "untouched", "All as they are"
    NEGATIVES_CUT = "negatives_cut", "Negatives cut"
    POSITIVES_WIDENED = "positives_widened", "Positives widened"
    BOTH = "both", "Negatives cut, positives widened"
    ALL_ZOOMED = "all_zoomed", "All zoomed"
    NEGATIVES_STYLED = "negatives_styled", "Negatives styled as positives"


class FramingJudge(NamedTuple):
    """How a judge shows the negatives and the positives."""

    kind: Change
    negatives: Shown
    positives: Shown


JUDGES = (
    FramingJudge(Change.UNTOUCHED, Shown.WHOLE, Shown.WHOLE),
    *(FramingJudge(Change.NEGATIVES_CUT, shown, Shown.WHOLE) for shown in CUTS),
    *(FramingJudge(Change.POSITIVES_WIDENED, Shown.WHOLE, shown) for shown in WIDE),
    *(FramingJudge(Change.BOTH, narrow, wide) for narrow, wide in zip(CUTS, WIDE, strict=True)),
    *(FramingJudge(Change.ALL_ZOOMED, shown, shown) for shown in ZOOMS),
    *(FramingJudge(Change.NEGATIVES_STYLED, shown, Shown.WHOLE) for shown in STYLES),
)
SCORE_COLUMNS = ["path", "group", "target", "shown", "probability"]
AUDIT_COLUMNS = [
    *("kind", "negatives", "positives", "auc", "low", "high", "loss", "loss_low", "loss_high", "loss_joint_low"),
    *("sensitivity", "specificity", "n", "n_groups"),
]


def reframe_images(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Predict the validation images under each framing.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        parameters: `framing_images` (0: no framing is tried), `batch_size`.

    Returns:
        The table of `score_framings`, without a row where no framing is tried.
    """
    if not parameters.framing_images:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    val = split_manifest[split_manifest["split"] == "val"]
    store = open_pixels(pixel_store, model_lineage)
    images = store.read(store.rows(pixel_keys(val)))
    ask = partial(predict, pneumonia_model, batch_size=parameters.batch_size)
    return score_framings(ask, images, val, parameters.framing_images)


def measure_framings(framing_scores: pd.DataFrame, decision: Decision) -> pd.DataFrame:
    """Measure the network on validation images as each judge shows them.

    Args:
        framing_scores: The table of `reframe_images`.
        decision: The record by which probabilities become decisions.

    Returns:
        kind (a `Change`), negatives and positives (a `Shown` each), auc, low, high, `loss` of AUC against the same
        images as they are, with its paired bounds and `loss_joint_low`, the lower bound that holds for all judges of a
        kind together, sensitivity, specificity, n, n_groups: one row per judge.
    """
    if framing_scores.empty:
        return pd.DataFrame(columns=AUDIT_COLUMNS)
    clean, rows = images_of(JUDGES[0], framing_scores), []
    of_kind = Counter(judge.kind for judge in JUDGES)
    for judge in JUDGES:
        images = images_of(judge, framing_scores)
        loss = paired_loss("loss", clean[clean["path"].isin(images["path"])], images, of_kind[judge.kind])
        rows.append(judge._asdict() | decided_row(images, decision) | loss)
    return pd.DataFrame(rows)[AUDIT_COLUMNS]


def score_framings(
    predict: Predict, images: Pixels, rows: pd.DataFrame, most: int, judges: Iterable[FramingJudge] = JUDGES
) -> pd.DataFrame:
    """Predict the images as the judges show them, each class once under each framing.

    Args:
        predict: Gives the probability of the positive class, `[n]`, of uint8 `[n, size, size, 1]`.
        images: The images, uint8 `[n, size, size, 1]`.
        rows: `path`, `group` and `target` of each image, `[n]`.
        most: Largest number of images per class that are reframed: a sample that depends only on their number. All are
            predicted unmodified.
        judges: Which judges.

    Returns:
        path, group, target, shown (a `Shown`), probability: one row per image and way it is shown.
    """
    target = rows["target"].to_numpy()
    wanted = {(0, judge.negatives) for judge in judges} | {(1, judge.positives) for judge in judges}
    parts = []
    with follow(len(wanted), "Reframing validation images", "ways") as advance:
        for label, shown in sorted(wanted, key=lambda one: (one[0], list(Shown).index(one[1]))):
            chosen = np.flatnonzero(target == label)
            if shown is not Shown.WHOLE and len(chosen) > most:
                chosen = np.sort(np.random.default_rng(len(chosen)).choice(chosen, most, replace=False))
            changed = reframe(images[chosen], FRAMINGS[shown])
            if shown in STYLES:
                models = np.random.default_rng(len(chosen)).choice(np.flatnonzero(target != label), len(chosen))
                changed = restyle(changed, images[models], sharpness=shown is not Shown.TONED)
            probability = predict(changed)
            parts.append(rows.iloc[chosen].assign(shown=str(shown), probability=probability)[SCORE_COLUMNS])
            advance(1)
    return pd.concat(parts, ignore_index=True)


def images_of(judge: FramingJudge, framing_scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `score_framings` that a judge ranks."""
    target, shown = framing_scores["target"], framing_scores["shown"]
    is_asked = ((target == 0) & (shown == judge.negatives)) | ((target == 1) & (shown == judge.positives))
    return framing_scores[is_asked]


def tabulate_judges(framing_scores: pd.DataFrame, judges: Iterable[FramingJudge]) -> pd.DataFrame:
    """Return kind, negatives, positives, auc, sensitivity, specificity and n, one row per judge, without intervals."""
    rows = []
    for judge in judges:
        images = images_of(judge, framing_scores)
        target, probability = images["target"].to_numpy(), images["probability"].to_numpy()
        rows.append({**judge._asdict(), **rates_at(target, probability), "n": len(images)})
    return pd.DataFrame(rows)


def rates_at(target: npt.NDArray[np.int64], probability: Floats) -> dict[str, float]:
    """Return auc, and sensitivity and specificity at a threshold of 0.5, without intervals."""
    called = probability >= 0.5
    return {
        "auc": float(ranking_metrics(target, probability)["auc"][0]),
        "sensitivity": float(called[target == 1].mean()),
        "specificity": float(1 - called[target == 0].mean()),
    }
