"""Nodes that draw the value of the decisions."""

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.base.parameters import EvaluationParameters


def draw_decision_curve(decision_curve: pd.DataFrame, parameters: EvaluationParameters) -> Figure:
    """Draw the net benefit over the risk from which a person would treat, with a 95% band, against all and none.

    Without calibration, only that of the decisions.
    """
    from pneumonia.report.style import INK, MUTED, SPLIT_COLOURS, new_figure

    figure, axes = new_figure(4.6, 3.8)
    risk, colour = 100 * decision_curve["risk"], SPLIT_COLOURS["test"]
    axes.axhline(0, color=INK, linewidth=1, label="no image positive")
    axes.plot(risk, 100 * decision_curve["treat_all"], color=MUTED, linewidth=1.4, label="every image positive")
    if decision_curve["net_benefit"].notna().any():
        axes.fill_between(
            risk, 100 * decision_curve["low"], 100 * decision_curve["high"], color=colour, alpha=0.15, linewidth=0
        )
        axes.plot(risk, 100 * decision_curve["net_benefit"], color=colour, label="by the probability")
    axes.plot(risk, 100 * decision_curve["as_decided"], color=colour, linewidth=1.2, linestyle="--", label="as decided")
    top = 100 * parameters.prevalence
    axes.set(xlim=(0, 80), ylim=(-0.25 * top, 1.1 * top))
    axes.set(xlabel="accepted risk, %", ylabel="net benefit per 100 images")
    axes.set_title(f"Decision curve at {top:g}% positive")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.17), ncols=2)
    return figure
