"""What the report says about the network under other framings."""

import pandas as pd

from pneumonia.audits.framing import SHOWN_LABELS, Kind, Shown
from pneumonia.report.levels import CHANCE, Finding, Level, finding
from pneumonia.report.words import say_interval, say_number

LARGE_LOSS = 0.05  # of AUC, under the worst cut


def judge_framing(framing_audit: pd.DataFrame, negative: str, positive: str) -> Finding:
    """Say whether cutting negative images turns them into positives.

    The cut with the lowest AUC is used. It is a loss if its interval lies below that of the unmodified images; it
    counts in favour of the network only if its interval excludes a large loss and the network is better than chance.

    Args:
        framing_audit: The table of `framing_audit.measure_framings`, empty if no framing was tried.
        negative: Name of the negative class.
        positive: Name of the positive class.

    Returns:
        Level, title and text.
    """
    if framing_audit.empty:
        text = "evaluation.framing_images is 0, so it is unknown whether the network judges by framing."
        return finding(Level.CAUTION, "Framing not measured", text)
    clean = framing_audit[framing_audit["kind"] == Kind.UNTOUCHED].iloc[0]
    cuts = framing_audit[framing_audit["kind"] == Kind.NEGATIVES_CUT]
    worst = cuts.sort_values("auc").iloc[0]
    text = (
        f"With {negative} validation images reframed ({SHOWN_LABELS[Shown(worst['negatives'])]}) and {positive} images "
        f"unchanged, the AUC is {say_number(worst['auc'])} ({say_interval(worst)}) instead of "
        f"{say_number(clean['auc'])} ({say_interval(clean)}), and the specificity {say_number(worst['specificity'])} "
        f"instead of {say_number(clean['specificity'])}."
    )
    if not worst["high"] < clean["low"]:
        is_excluded = clean["low"] > CHANCE and (cuts["low"] >= clean["auc"] - LARGE_LOSS).all()
        if is_excluded:
            return finding(Level.GOOD, f"Loses at most {LARGE_LOSS} of AUC under the cuts", text)
        title = f"A loss of more than {LARGE_LOSS} of AUC under a cut is not excluded"
        return finding(Level.CAUTION, title, text)
    if clean["auc"] - worst["auc"] > LARGE_LOSS:
        return finding(Level.BAD, "The network judges by how the image is framed", text)
    return finding(Level.CAUTION, "Cutting lowers the AUC", text)
