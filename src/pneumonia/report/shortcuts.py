"""What the report says about shortcuts: only about those that were tried, never about all possible ones."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pneumonia.audits.regions import CENTRE, RIM
from pneumonia.audits.shortcuts import BEHIND, BLIND, Basis, Sample
from pneumonia.metrics.bounds import say_difference
from pneumonia.metrics.registry import from_columns
from pneumonia.report.words import CHANCE, Finding, Level, finding, say_estimate, say_number

MOST_NAMED = 3  # shortcuts in a sentence


def judge_shortcuts(shortcut_audit: pd.DataFrame, images: str = Sample.TEST, where: str = "on test") -> Finding | None:
    """Compare the network with the shortcuts that were tried, by paired differences on the same images.

    Args:
        shortcut_audit: The network's row and one per shortcut, with `behind_network` and its bounds.
        images: Which rows are used.
        where: On which images, in words.

    Returns:
        None if no shortcut was tried.
    """
    rows = shortcut_audit[shortcut_audit["images"] == images]
    network = rows[rows["predictor"] == Basis.NETWORK].iloc[0]
    tried = rows[rows["predictor"] != Basis.NETWORK].sort_values("auc", kind="stable")
    if tried.empty:
        return None
    best = tried.iloc[-1]
    text = f"“{_label(best)}” reaches AUC {say_estimate(best, 'auc')} {where}, and the network "
    text += f"{say_estimate(network, 'auc')}; {_say_lead(best)}."
    doubtful = tried[~(tried[f"{BEHIND}_low"] > 0)]
    if len(doubtful):
        if list(doubtful["predictor"]) != [best["predictor"]]:
            text += f" Not shown to be worse than the network: {_say_names(doubtful)}."
        is_blind = doubtful["predictor"].isin(BLIND)
        if not is_blind.any():
            text += " These see the lungs, whose grey levels rise with disease: what the network adds is not shown."
            return finding(Level.CAUTION, "Not shown to be better than grey levels and detail as a whole", text)
        blind = doubtful[is_blind].iloc[-1]
        is_told = blind["predictor"] == best["predictor"]
        auc = "" if is_told else f" (AUC {say_number(blind['auc'])})"
        text += " That shortcut" if is_told and len(doubtful) == 1 else f" “{_label(blind)}”{auc}"
        text += " cannot see the lungs, so the result does not show that the network reads radiographs."
        is_worse = blind[f"{BEHIND}_high"] < 0
        title = "Worse than a shortcut" if is_worse else "Not shown to be better than a shortcut"
        return finding(Level.BAD, title, text)
    if best["low"] > CHANCE:
        text += " Some of the network's skill may come from this shortcut."
        return finding(Level.CAUTION, "Shortcuts also distinguish the classes", text)
    return finding(Level.GOOD, "Better than the shortcuts that were tried", text)


def judge_middle_third(shortcut_audit: pd.DataFrame) -> Finding:
    """Say what the network adds on the test images in the middle third of the best shortcut's scores."""
    rows = shortcut_audit[shortcut_audit["images"] == Sample.MIDDLE_THIRD]
    is_network = rows["predictor"] == Basis.NETWORK
    network, shortcut = rows[is_network].iloc[0], rows[~is_network].iloc[0]
    text = f"In the middle third of the score of “{_label(shortcut)}” ({network['n']:,} test images) the network has "
    text += f"AUC {say_estimate(network, 'auc')}, that shortcut {say_estimate(shortcut, 'auc')}; {_say_lead(shortcut)}."
    text += " A lead there does not come from that score alone; a better reading of the same property may give it."
    lead = from_columns(shortcut, BEHIND)
    if lead["low"] is None or pd.isna(lead["low"]):
        title = "Too few images to compare the network with the best shortcut in the middle third of its scores"
        return finding(Level.CAUTION, title, text)
    if say_difference(lead) == "better" and network["low"] > CHANCE:
        return finding(Level.GOOD, "Ahead of the best shortcut in the middle third of its scores", text)
    return finding(Level.CAUTION, "Not shown to be ahead of the best shortcut in the middle third of its scores", text)


def judge_twins(twin_audit: pd.DataFrame) -> Finding | None:
    """Say whether the images tell the classes by their centre or by their rim, by the networks trained on each."""
    if twin_audit.empty:
        return None
    rows = twin_audit.set_index("predictor")
    rim, centre = rows.loc[RIM], rows.loc[CENTRE]
    ahead = from_columns(rim, "behind_centre")
    text = (
        f"Two small networks were trained alike: the one on the centre alone reaches AUC {say_estimate(centre, 'auc')} "
        f"on test, the one on the rim alone {say_estimate(rim, 'auc')}; difference "
        f"{say_estimate(ahead, kind='paired')}. This is what the images reveal, not what the network uses."
    )
    verdict = say_difference(ahead)
    if verdict == "better":
        return finding(Level.GOOD, "The centre of the images reveals more than their rim", text)
    if verdict == "worse":
        return finding(Level.BAD, "The rim of the images reveals more than their centre", text)
    return finding(Level.CAUTION, "The centre of the images is not shown to reveal more than their rim", text)


def _say_lead(row: Mapping[str, Any]) -> str:
    return f"difference {say_estimate(from_columns(row, BEHIND), kind='paired')}"


def _say_names(shortcuts: pd.DataFrame) -> str:
    """Name those with the highest AUC, and count the others."""
    names = [f"“{_label(row)}”" for row in shortcuts.sort_values("auc", ascending=False).to_dict("records")]
    n_more = len(names) - MOST_NAMED
    more = f" and {n_more} {'other' if n_more == 1 else 'others'}" if n_more > 0 else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _label(row: Mapping[str, Any]) -> str:
    return Basis(row["predictor"]).label.lower()
