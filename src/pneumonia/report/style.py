"""The common style of all figures: sizes, labels, and colours that colour-blind readers can distinguish.

A figure is drawn small (about 4.6 x 3.4 inches) and carries one message, so that it stays readable on a phone; pages
put several side by side. Figures are independent `matplotlib.figure.Figure` objects, not registered with pyplot.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pneumonia.base.annotations import Figure

INK = "#1d2733"
MUTED = "#66717f"
GRID = "#e4e8ed"
PAPER = "#ffffff"
NEGATIVE = "#2a6fa8"  # blue: the negative class, and whatever comes first
POSITIVE = "#cc5500"  # vermilion: the positive class, and whatever comes second
CLASS_COLOURS = (NEGATIVE, POSITIVE)  # by target
SERIES = (*CLASS_COLOURS, "#00875f", "#9a4f96", "#8a6d00", "#5b6570")
SPLIT_COLOURS = {"train": "#8a94a0", "val": "#00875f", "test": "#5b3f95"}

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    # Class names may contain anything, and a label with two $ is not a formula.
    "text.parse_math": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.facecolor": PAPER,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.fontsize": 9,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


def new_figure(
    width: float = 4.6, height: float = 3.4, rows: int = 1, columns: int = 1, **subplots: Any
) -> tuple[Figure, Any]:
    """Make a figure with axes in the project's style.

    Args:
        width: Width in inches.
        height: Height in inches.
        rows: Rows of axes.
        columns: Columns of axes.
        **subplots: Further arguments of `Figure.subplots`, such as `sharey` or `width_ratios`.

    Returns:
        The figure, and what `Figure.subplots` returns: one axes, or an array of them.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure as MatplotlibFigure

    # Titles and legends take their style when they are added, so it has to outlast this function.
    mpl.rcParams.update(STYLE)
    figure = MatplotlibFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def draw_interval(
    axes: Any, position: float, value: float | None, low: float | None, high: float | None, colour: str
) -> None:
    """Draw a value as a dot, with its 95% interval as a line through it, along the x axis; nothing for None or NaN."""
    if not pd.isna([low, high]).any():
        axes.plot([low, high], [position, position], color=colour, linewidth=2.4, alpha=0.55)
    if not pd.isna(value):
        axes.plot([value], [position], "o", color=colour, markersize=6.5, clip_on=False)


def row_axes(axes: Any, names: Sequence[str]) -> None:
    """Turn the y axis into rows, the first on top, one for each name."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
