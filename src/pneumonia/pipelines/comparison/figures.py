"""Figures of the comparison pipeline."""

import pandas as pd

from pneumonia.base.annotations import Figure


def draw_comparison(run_comparison: pd.DataFrame) -> Figure:
    """Draw the AUC of each model on validation and test, the newest evaluation on top; at most 30."""
    from pneumonia.report.style import SPLIT_COLOURS, draw_interval, new_figure, row_axes

    shown = run_comparison.head(30)
    figure, axes = new_figure(7.2, 1.6 + 0.42 * len(shown))
    for split, shift in (("val", -0.15), ("test", 0.15)):
        for position, row in enumerate(shown.to_dict("records")):
            value, low, high = (row[f"{split}_auc{end}"] for end in ("", "_low", "_high"))
            draw_interval(axes, position + shift, value, low, high, SPLIT_COLOURS[split])
        axes.plot([], [], "o-", color=SPLIT_COLOURS[split], label={"val": "validation (ranks)"}.get(split, split))
    names = [f"#{row.rank}  {row.network}\n{row.model[:16]}, images {row.val_images}" for row in shown.itertuples()]
    row_axes(axes, names)
    axes.set_xlabel("AUC, 95% interval")
    axes.set_title("Models, newest evaluation on top")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.6 / (1 + 0.42 * len(shown))), ncols=2)
    return figure
