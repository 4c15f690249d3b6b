"""Figures of the audits."""

import numpy as np
import pandas as pd

from pneumonia.audits.regions import VIEW_LABELS, View
from pneumonia.audits.shortcuts import PREDICTOR_LABELS, Predictor, Sample
from pneumonia.base.annotations import Figure


def draw_shortcuts(shortcut_audit: pd.DataFrame, region_audit: pd.DataFrame) -> Figure:
    """Draw the AUC on test of each set of properties, of the network, and of the network with parts hidden."""
    from pneumonia.report.style import MUTED, SERIES, draw_interval, new_figure, row_axes

    on_test = shortcut_audit[shortcut_audit["images"] == Sample.TEST]
    hidden = region_audit[region_audit["predictor"] != View.WHOLE]
    network = PREDICTOR_LABELS[Predictor.NETWORK]
    names = [PREDICTOR_LABELS[name] for name in on_test["predictor"]]
    names += [f"{network}, {VIEW_LABELS[view]}" for view in hidden["predictor"]]
    rows = pd.concat([on_test, hidden], ignore_index=True)
    of_network = rows["predictor"].isin([Predictor.NETWORK, *View])
    figure, axes = new_figure(4.6, 4.2)
    axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
    for position, (row, is_network) in enumerate(zip(rows.itertuples(), of_network, strict=True)):
        draw_interval(axes, position, row.auc, row.low, row.high, SERIES[2] if is_network else SERIES[5])
    row_axes(axes, names)
    axes.set(xlim=(min(0.4, rows["low"].min() - 0.02), 1.01), xlabel="AUC on test, 95% interval (0.5: chance)")
    axes.set_title("What tells the classes apart")
    return figure


def draw_robustness(robustness: pd.DataFrame) -> Figure:
    """Draw the AUC under each kind of damage and strength, darker where more is lost."""
    from matplotlib.colors import LinearSegmentedColormap

    from pneumonia.report.style import INK, MUTED, PAPER, POSITIVE, new_figure

    if robustness.empty:
        figure, axes = new_figure(4.6, 1.2)
        axes.set_axis_off()
        axes.text(0.5, 0.5, "not measured: evaluation.robustness is off", ha="center", color=MUTED)
        return figure
    clean = float(robustness.loc[robustness["strength"] == 0, "auc"].iloc[0])
    table = robustness[robustness["strength"] > 0].pivot_table(
        index="kind", columns="strength", values="auc", sort=False
    )
    lost = (clean - table).to_numpy()
    figure, axes = new_figure(4.6, 1.2 + 0.33 * len(table))
    axes.imshow(lost, cmap=LinearSegmentedColormap.from_list("", [PAPER, POSITIVE]), vmin=0, vmax=0.25, aspect="auto")
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        axes.text(
            column,
            row,
            f"{value:.3f}",
            ha="center",
            va="center",
            color=PAPER if lost[row, column] > 0.17 else INK,
        )
    axes.set_xticks(range(3), ["mild", "medium", "strong"])
    axes.set_yticks(range(len(table)), table.index)
    axes.grid(visible=False)
    axes.set_title(f"AUC under damage ({clean:.3f} without)")
    return figure
