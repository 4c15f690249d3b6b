"""Figures of the study pipeline."""

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.study.judges import MEASURED, name_measure


def draw_study(study_results: pd.DataFrame) -> Figure:
    """Draw every training as a dot, and each recipe's mean as a line, for the first measure of each judge."""
    from pneumonia.report.style import INK, SERIES, new_figure, row_axes

    kinds = {kind: rates[:2] for kind, rates in MEASURED.items() if f"{kind}_auc" in study_results.columns}
    recipes = list(dict.fromkeys(study_results["recipe"]))
    figure, panels = new_figure(9.2, 0.6 + (0.5 + 0.28 * len(recipes)) * len(kinds), len(kinds), 2, squeeze=False)
    for row, (kind, rates) in zip(panels, kinds.items(), strict=True):
        for axes, rate in zip(row, rates, strict=False):
            for position, recipe in enumerate(recipes):
                values = study_results.loc[study_results["recipe"] == recipe, f"{kind}_{rate}"]
                axes.plot(values, [position] * len(values), "o", color=SERIES[position % len(SERIES)], alpha=0.7)
                axes.plot([values.mean()] * 2, [position - 0.32, position + 0.32], color=INK, linewidth=1.6)
            row_axes(axes, recipes if rate == "auc" else [""] * len(recipes))
            axes.set_title(name_measure(f"{kind}_{rate}"), fontsize=9.5)
        for axes in row[len(rates) :]:
            axes.set_axis_off()
    return figure
