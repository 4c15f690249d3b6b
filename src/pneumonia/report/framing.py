"""What the report says of the network under another framing."""

import pandas as pd

from pneumonia.audits.framing import SHOWN_LABELS, Kind, Shown
from pneumonia.report.levels import CHANCE, Finding, Level, finding
from pneumonia.report.words import say_interval, say_number

LARGE_LOSS = 0.05  # of AUC, under the worst cut


def judge_framing(framing_audit: pd.DataFrame, negative: str, positive: str) -> Finding:
    """Say whether cutting the negatives' images makes them positives.

    The cut with the least AUC is looked at. It is a loss where its interval lies below that of the images as they are;
    it speaks for the network only where its interval excludes a large loss, and the network does not guess.

    Args:
        framing_audit: The table of `framing_audit.measure_framings`, empty where no framing was tried.
        negative: Name of the negative class.
        positive: Name of the positive class.

    Returns:
        Level, title and text.
    """
    if framing_audit.empty:
        text = "evaluation.framing_images is 0: whether the network judges by framing is not known."
        return finding(Level.CAUTION, "Framing not measured", text)
    clean = framing_audit[framing_audit["kind"] == Kind.UNTOUCHED].iloc[0]
    cuts = framing_audit[framing_audit["kind"] == Kind.NEGATIVES_CUT]
    worst = cuts.sort_values("auc").iloc[0]
    text = (
        f"With {SHOWN_LABELS[Shown(worst['negatives'])]} of each {negative} image of validation, and no {positive} "
        f"image changed, the AUC is {say_number(worst['auc'])} ({say_interval(worst)}) in place of "
        f"{say_number(clean['auc'])} ({say_interval(clean)}), and the specificity {say_number(worst['specificity'])} "
        f"in place of {say_number(clean['specificity'])}."
    )
    if not worst["high"] < clean["low"]:
        is_excluded = clean["low"] > CHANCE and (cuts["low"] >= clean["auc"] - LARGE_LOSS).all()
        if is_excluded:
            return finding(Level.GOOD, f"Loses at most {LARGE_LOSS} of AUC under the cuts", text)
        title = f"A loss of more than {LARGE_LOSS} of AUC under a cut is not excluded"
        return finding(Level.CAUTION, title, text)
    if clean["auc"] - worst["auc"] > LARGE_LOSS:
        return finding(Level.BAD, "It judges by how the image is framed", text)
    return finding(Level.CAUTION, "Framing moves some of its answers", text)
