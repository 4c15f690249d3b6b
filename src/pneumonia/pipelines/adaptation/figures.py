"""Figures of an adaptation."""

from typing import Any

import pandas as pd

from pneumonia.base.annotations import Figure

WHERE = {"new": "new place", "own": "own test"}
SHOWN = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}


def draw_curve(adaptation_curve: pd.DataFrame, adaptation_metrics: dict[str, Any]) -> Figure:
    """Draw the AUC on the new place over the number of groups that the model was adapted to."""
    from pneumonia.report.style import MUTED, POSITIVE, new_figure

    figure, axes = new_figure(7.6, 3.2)
    axes.axhline(adaptation_metrics["new"]["before"]["auc"]["value"], color=MUTED, linewidth=1, linestyle="--")
    adapted = adaptation_curve[adaptation_curve["groups"] > 0]
    axes.plot(adapted["groups"], adapted["auc"], "o", color=POSITIVE, alpha=0.5, markersize=5)
    step = adapted.groupby("draw").cumcount()  # every draw has the same numbers of groups, but for its end
    means = adapted.groupby(step)[["groups", "auc"]].mean()
    axes.plot(means["groups"], means["auc"], color=POSITIVE)
    axes.set(xlabel="groups of the new place", ylabel="AUC on other groups", title="Learning curve", xlim=(0, None))
    return figure


def draw_change(adaptation_metrics: dict[str, Any]) -> Figure:
    """Draw the main metrics before and after, on the new place and on the model's own test images."""
    from pneumonia.report.style import MUTED, POSITIVE, draw_interval, new_figure, row_axes

    records = {name: record for name, record in adaptation_metrics.items() if record is not None}
    figure, panels = new_figure(4.6 * len(records), 2.6, 1, len(records), squeeze=False)
    for axes, (where, record) in zip(panels[0], records.items(), strict=True):
        for position, name in enumerate(SHOWN):
            for offset, when, colour in ((-0.14, "before", MUTED), (0.14, "after", POSITIVE)):
                estimate = record[when][name]
                value, low, high = (estimate[end] for end in ("value", "low", "high"))
                draw_interval(axes, position + offset, value, low, high, colour)
        row_axes(axes, list(SHOWN.values()))
        axes.set_title(WHERE[where])
    return figure
