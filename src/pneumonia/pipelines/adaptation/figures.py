"""Figures of an adaptation."""

import pandas as pd

from pneumonia.adaptation.fits import CurveNetwork
from pneumonia.adaptation.measure import AdaptationMetrics
from pneumonia.base.annotations import Figure
from pneumonia.metrics.summary import MainMetric

SHOWN: dict[MainMetric, str] = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}


def draw_curve(adaptation_curve: pd.DataFrame) -> Figure:
    """Draw the AUC on the new place over the number of groups that a network was adapted to."""
    from pneumonia.report.style import INK, MUTED, POSITIVE, new_figure

    figure, axes = new_figure(7.6, 3.2)
    before, short, adapted = (adaptation_curve[adaptation_curve["network"] == kind] for kind in CurveNetwork)
    step = short.groupby("draw").cumcount()  # every draw has the same numbers of groups, but for its end
    means = short.groupby(step)[["groups", "auc"]].mean()
    axes.axhline(before["auc"].mean(), color=MUTED, linewidth=1, linestyle="--", label="before (mean)")
    axes.plot(
        short["groups"], short["auc"], "o", color=POSITIVE, alpha=0.5, markersize=5, label=CurveNetwork.SHORT.label
    )
    axes.plot(means["groups"], means["auc"], color=POSITIVE, label="their mean")
    axes.plot(adapted["groups"], adapted["auc"], "D", color=INK, markersize=4.5, label=CurveNetwork.ADAPTED.label)
    axes.set(xlabel="groups of the new place", ylabel="AUC on other groups", title="Learning curve", xlim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def draw_change(adaptation_metrics: AdaptationMetrics) -> Figure:
    """Draw the main metrics before and after, on the new place and on the model's own test images."""
    from pneumonia.report.style import MUTED, POSITIVE, draw_interval, new_figure, row_axes

    named = {"new place": adaptation_metrics["new"], "own test": adaptation_metrics["own"]}
    records = {name: record for name, record in named.items() if record is not None}
    figure, panels = new_figure(4.6 * len(records), 2.6, 1, len(records), squeeze=False)
    for axes, (where, record) in zip(panels[0], records.items(), strict=True):
        for position, name in enumerate(SHOWN):
            for offset, measured, colour in ((-0.14, record["before"], MUTED), (0.14, record["after"], POSITIVE)):
                draw_interval(axes, position + offset, **measured[name], colour=colour)
        row_axes(axes, list(SHOWN.values()))
        axes.set_title(where)
    return figure
