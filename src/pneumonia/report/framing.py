"""What the report says about losses of AUC on changed images, and of images that are framed otherwise."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from pneumonia.audits.framing import Change, Shown
from pneumonia.metrics.registry import from_columns
from pneumonia.report.words import CHANCE, Finding, Level, finding, say_estimate, say_number

LARGE_LOSS = 0.05  # of AUC, under medium corruption or the worst cut
ZOOM_TITLE = "Sensitive to how much of the body an image shows"
WIDE_TITLE = "Widening the positive images lowers the AUC"
# What is changed, the title where it costs AUC, the change in words, and a remark.
CHANGED = (
    (Change.ALL_ZOOMED, ZOOM_TITLE, "validation images of both classes reframed ({shown})", ""),
    (
        Change.POSITIVES_WIDENED,
        WIDE_TITLE,
        "{positive} validation images reframed ({shown}) and {negative} images unchanged",
        " Reflections fill what lies beyond the edges of the images, and may themselves cost something.",
    ),
    (
        Change.NEGATIVES_STYLED,
        "Sensitive to the style of the other class",
        "{negative} validation images restyled ({shown}) and {positive} images unchanged",
        " Some loss is to be expected, because the disease itself changes grey levels.",
    ),
)


def judge_framing(framing_audit: pd.DataFrame, negative: str, positive: str) -> Finding:
    """Say whether cutting negative images turns them into positives, by the paired losses of AUC.

    Args:
        framing_audit: The table of `measure_framings`, empty if no framing was tried.
        negative: Name of the negative class.
        positive: Name of the positive class.

    Returns:
        Level, title and text.
    """
    if framing_audit.empty:
        text = "evaluation.framing_images is 0, so it is unknown whether the network judges by framing."
        return finding(Level.CAUTION, "Framing not measured", text)
    clean = framing_audit[framing_audit["kind"] == Change.UNTOUCHED].iloc[0]
    cuts = framing_audit[framing_audit["kind"] == Change.NEGATIVES_CUT]
    loss, worst = judge_losses(cuts)
    text = (
        f"With {negative} validation images reframed ({Shown(worst['negatives']).label}) and {positive} images "
        f"unchanged, the AUC is {say_estimate(worst, 'auc')}; loss against the same images unchanged "
        f"{say_loss(loss, worst, len(cuts))}. The specificity is {say_number(worst['specificity'])}; that of all "
        f"{negative} validation images as they are is {say_number(clean['specificity'])}."
    )
    if loss is Loss.SMALL and clean["low"] > CHANCE:
        return finding(Level.GOOD, f"Loses at most {LARGE_LOSS} of AUC under the cuts", text)
    if loss is Loss.LARGE:
        return finding(Level.BAD, "The network judges by how the image is framed", text)
    if loss is Loss.SHOWN:
        return finding(Level.CAUTION, "Cutting lowers the AUC", text)
    return finding(Level.CAUTION, f"A loss of more than {LARGE_LOSS} of AUC under a cut is not excluded", text)


def judge_reframed(framing_audit: pd.DataFrame, negative: str, positive: str) -> list[Finding]:
    """Say what it costs if both classes or the positives are framed otherwise, or the negatives look like positives.

    Only losses that are shown are said.

    Args:
        framing_audit: The table of `measure_framings`, empty if no framing was tried.
        negative: Name of the negative class.
        positive: Name of the positive class.
    """
    found = []
    for kind, title, changed, remark in CHANGED:
        rows = framing_audit[framing_audit["kind"] == kind]
        if rows.empty:
            continue
        loss, worst = judge_losses(rows)
        if loss in (Loss.LARGE, Loss.SHOWN):
            shown = Shown(worst["negatives" if kind is Change.NEGATIVES_STYLED else "positives"]).label
            text = f"With {changed.format(negative=negative, positive=positive, shown=shown)}, the AUC is "
            text += f"{say_estimate(worst, 'auc')} on {worst['n']:,} images, sensitivity "
            text += f"{say_number(worst['sensitivity'])} and specificity {say_number(worst['specificity'])}; loss of "
            text += f"AUC {say_loss(loss, worst, len(rows))}.{remark}"
            found.append(finding(Level.CAUTION, title, text))
    return found


class Loss(Enum):
    """What the paired intervals of several losses allow to say of the worst."""

    SMALL = "none can be large"
    LARGE = "one is above zero, and its value is large"
    SHOWN = "one is above zero, and can be large"
    OPEN = "none is above zero, and one can be large"


def judge_losses(rows: pd.DataFrame) -> tuple[Loss, pd.Series]:
    """Judge losses of AUC by their intervals; also return the row that the judgement rests on.

    That one of several is above zero is claimed only by the bound that holds for all of them together: the largest of
    nine has a 95% interval above zero by chance much more often than in 1 of 40 runs.
    """
    not_small = rows[~(rows["loss_high"] <= LARGE_LOSS)]
    if not_small.empty:
        return Loss.SMALL, rows.loc[rows["loss"].idxmax()]
    shown = not_small[not_small["loss_joint_low"] > 0]
    if len(shown):
        worst = shown.loc[shown["loss"].idxmax()]
        return Loss.LARGE if worst["loss"] > LARGE_LOSS else Loss.SHOWN, worst
    return Loss.OPEN, not_small.loc[not_small["loss_high"].fillna(np.inf).idxmax()]


def say_loss(loss: Loss, row: Mapping[str, Any], of: int) -> str:
    """Format the paired loss of a row with its bounds and, where it is claimed, the bound by which it is.

    Args:
        loss: How the losses are judged.
        row: The one that the judgement rests on.
        of: How many there are.
    """
    bounds = say_estimate(from_columns(row, "loss"), kind="paired")
    if loss not in (Loss.LARGE, Loss.SHOWN):
        return bounds
    return f"{bounds}, at least {say_number(row['loss_joint_low'])} with all {of} judged together (Bonferroni)"
