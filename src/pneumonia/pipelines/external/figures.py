"""Figures of the external images, each compared with the model's own test."""

import numpy as np
import pandas as pd

from pneumonia.audits.external import ExternalMetrics, Origin
from pneumonia.base.annotations import Figure
from pneumonia.metrics.auc import GRID, roc_at
from pneumonia.metrics.calibration import reliability
from pneumonia.metrics.registry import value_of
from pneumonia.metrics.summary import Metrics
from pneumonia.report.style import CLASS_COLOURS, MUTED, POSITIVE, SPLIT_COLOURS, new_figure
from pneumonia.report.words import say_number

BINS = np.linspace(0, 1, 21)
OWN = "own test"


def _samples(
    external_predictions: pd.DataFrame, predictions: pd.DataFrame, place: str
) -> tuple[tuple[str, pd.DataFrame], tuple[str, pd.DataFrame]]:
    return (OWN, predictions[predictions["split"] == "test"]), (f"“{place}”", external_predictions)


def draw_external_roc(
    external_predictions: pd.DataFrame,
    predictions: pd.DataFrame,
    external_metrics: ExternalMetrics,
    metrics: Metrics,
) -> Figure:
    """Draw the ROC curves of the external images and the model's own test, with the frozen threshold."""
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    place = external_metrics["place"]
    for (name, rows), record, colour in zip(
        _samples(external_predictions, predictions, place),
        (metrics["test"], external_metrics["external"]),
        (SPLIT_COLOURS["test"], POSITIVE),
        strict=True,
    ):
        target, probability = rows["target"].to_numpy(), rows["probability"].to_numpy()
        curve = roc_at(target, probability, np.ones((1, len(rows))))[0]
        axes.plot(GRID, curve, color=colour, label=f"{name}, AUC {say_number(record['auc']['value'])}")
        point = 1 - value_of(record["specificity"]), value_of(record["sensitivity"])
        axes.plot(*point, "o", color=colour, markersize=8, markeredgecolor="white")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="1 - specificity", ylabel="sensitivity", title="ROC curve")
    axes.legend(loc="lower right")
    return figure


def draw_external_scores(
    external_predictions: pd.DataFrame, predictions: pd.DataFrame, external_origin: Origin
) -> Figure:
    """Draw the probabilities by class, on the model's own test above and on the external images below."""
    figure, panels = new_figure(4.6, 3.9, rows=2, sharex=True)
    for axes, (name, rows) in zip(
        panels, _samples(external_predictions, predictions, external_origin["place"]), strict=True
    ):
        for target, colour in enumerate(CLASS_COLOURS):
            part = rows[rows["target"] == target]
            weights = np.full(len(part), 1 / max(len(part), 1))
            label = str(part["label"].iloc[0])
            axes.hist(part["probability"], BINS, weights=weights, color=colour, alpha=0.55, label=label)
        axes.set(title=name, ylabel="share of the class")
    panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=2)
    panels[1].set_xlabel("probability")
    return figure


def draw_external_calibration(
    external_predictions: pd.DataFrame, predictions: pd.DataFrame, external_origin: Origin
) -> Figure:
    """Draw the observed over the predicted share of positives, on the external images and the model's own test."""
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    for (name, rows), colour in zip(
        _samples(external_predictions, predictions, external_origin["place"]),
        (SPLIT_COLOURS["test"], POSITIVE),
        strict=True,
    ):
        columns = (rows[name].to_numpy() for name in ("probability", "target", "group"))
        bins = reliability(*columns)
        axes.plot(bins["predicted"], bins["seen"], "-", color=colour, linewidth=1.4, label=name)
        axes.scatter(
            bins["predicted"], bins["seen"], s=14 + 140 * bins["n"] / bins["n"].max(), color=colour, alpha=0.75
        )
    axes.set(
        xlim=(-0.04, 1.04), ylim=(-0.04, 1.06), xlabel="reported probability", ylabel="observed share of positives"
    )
    axes.set_title("Calibration")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.18), ncols=2)
    return figure
