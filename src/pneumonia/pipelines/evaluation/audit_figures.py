"""Figures of the audits."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.audits.framing import Change, Shown
from pneumonia.audits.regions import Region
from pneumonia.audits.shortcuts import BEHIND, Basis, Sample
from pneumonia.audits.sites import NEW_SITE
from pneumonia.audits.stretches import Measure
from pneumonia.base.annotations import Figure, Floats
from pneumonia.report.style import (
    INK,
    MUTED,
    PAPER,
    POSITIVE,
    SERIES,
    SPLIT_COLOURS,
    draw_interval,
    new_figure,
    row_axes,
)
from pneumonia.report.words import say_number

RUNNING = 20  # groups in a running mean
RATES = ("auc", "sensitivity", "specificity")


def draw_shortcuts(shortcut_audit: pd.DataFrame, region_audit: pd.DataFrame) -> Figure:
    """Draw the AUC on test of each shortcut and of the network, and how far the network is ahead of each."""
    rows = _shortcut_rows(shortcut_audit, region_audit)
    figure, (axes, ahead) = new_figure(6.4, 1.0 + 0.27 * len(rows), columns=2, sharey=True, width_ratios=[3, 2])
    axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
    ahead.axvline(0, color=MUTED, linewidth=1, linestyle=":")
    for position, row in enumerate(rows.to_dict("records")):
        colour = SERIES[2] if row["predictor"] in (Basis.NETWORK, *Region) else SERIES[5]
        draw_interval(axes, position, row["auc"], row["low"], row["high"], colour)
        draw_interval(ahead, position, row[BEHIND], row[f"{BEHIND}_low"], row[f"{BEHIND}_high"], colour)
    row_axes(axes, rows["name"])
    ahead.grid(visible=False, axis="y")
    axes.set(xlim=(min(0.4, rows["low"].min() - 0.02), 1.01), xlabel="AUC on test, 95% intervals")
    ahead.set(xlabel="lead of the network")
    axes.set_title("What distinguishes the classes")
    return figure


def _shortcut_rows(shortcut_audit: pd.DataFrame, region_audit: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the figure with their names: shortcuts, the network, hidden views, the middle third."""
    on_test = shortcut_audit[shortcut_audit["images"] == Sample.TEST]
    hidden = region_audit[region_audit["predictor"] != Region.WHOLE]
    third = shortcut_audit[shortcut_audit["images"] == Sample.MIDDLE_THIRD]
    names = [Basis(name).label for name in on_test["predictor"]]
    names += [f"{Basis.NETWORK.label}, {Region(view).label}" for view in hidden["predictor"]]
    names += [f"{Basis(name).label}, middle third" for name in third["predictor"]]
    return pd.concat([on_test, hidden, third], ignore_index=True).assign(name=names)


def draw_sites(site_audit: pd.DataFrame) -> Figure:
    """Draw the network's AUC, sensitivity and specificity on the test images of each site: a forest plot."""
    network = site_audit[site_audit["predictor"] == Basis.NETWORK].dropna(subset=["value"])
    if network.empty:
        return _not_measured("the images are of one site")
    sites = list(dict.fromkeys(network["site"]))
    figure, panels = new_figure(7.6, 1.2 + 0.4 * len(sites), columns=len(RATES), sharey=True)
    for axes, measure in zip(panels, RATES, strict=True):
        part = network[network["measure"] == measure]
        for row in part.to_dict("records"):
            colour = MUTED if row["site"] == NEW_SITE else SERIES[2]
            draw_interval(axes, sites.index(row["site"]), row["value"], row["low"], row["high"], colour)
        row_axes(axes, sites)
        axes.set_title({"auc": "AUC"}.get(measure, measure))
        left = min(axes.get_xlim()[0], 0.9)
        axes.set_xlim(left, 1 + 0.04 * (1 - left))  # so that a marker at 1 is whole
    return figure


def draw_order(ordered_predictions: pd.DataFrame, stretch_audit: pd.DataFrame) -> Figure:
    """Draw the probability of each group in the order of its class, and the stretch whose errors stand out most."""
    if ordered_predictions.empty:
        return _not_measured("the names of the images have no order")
    labels = sorted(set(ordered_predictions["label"]))
    figure, panels = new_figure(7.6, 0.6 + 1.9 * len(labels), rows=len(labels), squeeze=False)
    for axes, label in zip(panels[:, 0], labels, strict=True):
        of_class = ordered_predictions[ordered_predictions["label"] == label].sort_values("place")
        for split, alpha in (("val", 0.35), ("test", 0.7)):
            part = of_class[of_class["split"] == split]
            wrong = part[part["errors"] > 0]
            colour = SPLIT_COLOURS[split]
            axes.scatter(part["place"], part["score"], s=7, color=colour, alpha=alpha, linewidths=0)
            axes.scatter(wrong["place"], wrong["score"], s=34, color=colour, marker="x", linewidths=1.3)
            for _, form in part.groupby("form"):
                mean = form["score"].rolling(RUNNING, center=True).mean()
                axes.plot(form["place"], mean, color=colour, linewidth=1.6, alpha=alpha)
            axes.plot([], [], "o-", color=colour, markersize=3, label=split)
        axes.scatter([], [], s=34, color=INK, marker="x", label="has an error")
        for place in of_class.groupby("form")["place"].min().iloc[1:]:
            axes.axvline(place - 0.5, color=MUTED, linewidth=0.8, linestyle=":")
        is_shown = (stretch_audit["label"] == label) & (stretch_audit["measure"] == Measure.ERRORS)
        for row in stretch_audit[is_shown].to_dict("records"):
            ends = of_class.set_index("path")["place"][[row["first"], row["last"]]]
            axes.axvspan(ends.iloc[0] - 0.5, ends.iloc[1] + 0.5, color=MUTED, alpha=0.18, linewidth=0)
        axes.set(ylim=(-0.03, 1.03), xlim=(0, len(of_class) + 1), ylabel="probability", title=label)
    axes.set_xlabel("groups in the order of the numbers in their names")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.32), ncols=3)
    return figure


def draw_robustness(robustness: pd.DataFrame) -> Figure:
    """Draw the AUC for each kind of corruption and strength, darker for larger losses."""
    if robustness.empty:
        return _not_measured("evaluation.robustness is off")
    clean = float(robustness.loc[robustness["strength"] == 0, "auc"].iloc[0])
    damaged = robustness[robustness["strength"] > 0]
    table = damaged.pivot_table(index="kind", columns="strength", values="auc", sort=False)
    figure, axes = new_figure(4.6, 1.2 + 0.33 * len(table))
    _draw_cells(axes, table.to_numpy(), (clean - table).to_numpy(), most=0.25)
    axes.set_xticks(range(3), ["mild", "medium", "strong"])
    axes.set_yticks(range(len(table)), table.index)
    axes.set_title(f"AUC under corruption ({say_number(clean)} without)")
    return figure


def draw_framings(framing_audit: pd.DataFrame) -> Figure:
    """Draw AUC, sensitivity and specificity on validation under each framing, darker for larger losses."""
    if framing_audit.empty:
        return _not_measured("evaluation.framing_images is 0")
    names, values = _framing_rows(framing_audit)
    lost = np.clip(framing_audit[list(RATES)].to_numpy()[0] - values, 0, None)
    figure, axes = new_figure(4.6, 0.9 + 0.22 * len(names))
    _draw_cells(axes, values, lost, most=0.5, fontsize=8.5)
    axes.set_xticks(range(len(RATES)), ["AUC", "sensitivity", "specificity"], fontsize=8)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for tick, is_heading in zip(axes.get_yticklabels(), np.isnan(values[:, 0]), strict=True):
        tick.set_fontweight("bold" if is_heading else "normal")
    axes.spines[:].set_visible(False)
    return figure


def _not_measured(reason: str) -> Figure:
    figure, axes = new_figure(4.6, 1.2)
    axes.set_axis_off()
    axes.text(0.5, 0.5, f"not measured: {reason}", ha="center", color=MUTED)
    return figure


def _draw_cells(axes: Any, values: Floats, lost: Floats, most: float, fontsize: float = 9.5) -> None:
    """Write values, `[rows, columns]`, in cells that are darker for larger losses, up to `most`; none for NaN."""
    from matplotlib.colors import LinearSegmentedColormap

    axes.imshow(lost, LinearSegmentedColormap.from_list("", [PAPER, POSITIVE]), vmin=0, vmax=most, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = PAPER if lost[row, column] > 0.67 * most else INK
            axes.text(column, row, say_number(value), ha="center", va="center", color=colour, fontsize=fontsize)
    axes.grid(visible=False)


def _framing_rows(framing_audit: pd.DataFrame) -> tuple[list[str], Floats]:
    """Return the name of each row and its rates, `[rows, 3]`: a heading without rates above each kind of judge."""
    names, values = [], []
    for kind, judges in framing_audit.groupby("kind", sort=False):
        if kind != Change.UNTOUCHED:
            names.append(Change(kind).label)
            values.append([np.nan] * len(RATES))
        shown = judges["positives"] if kind == Change.POSITIVES_WIDENED else judges["negatives"]
        names += [Change.UNTOUCHED.label if kind == Change.UNTOUCHED else Shown(name).label for name in shown]
        values += judges[list(RATES)].to_numpy().tolist()
    return names, np.array(values)
