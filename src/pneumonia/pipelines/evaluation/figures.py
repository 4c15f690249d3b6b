"""Figures of the scores, the decisions and their value: one message per figure, small enough for a phone."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.auc import GRID, CurveAt, curve_band, precision_at, roc_at
from pneumonia.metrics.calibration import reliability
from pneumonia.metrics.decisions import Decision, threshold_candidates
from pneumonia.metrics.metrics import METRIC_NAMES
from pneumonia.metrics.registry import value_of
from pneumonia.metrics.summary import MainMetric, Metrics, SplitMetrics, columns_of
from pneumonia.report.style import (
    CLASS_COLOURS,
    INK,
    MUTED,
    PAPER,
    SERIES,
    SPLIT_COLOURS,
    draw_interval,
    new_figure,
    row_axes,
)
from pneumonia.report.words import say_interval, say_number, say_percent, say_threshold

HEADLINE: tuple[MainMetric, ...] = (
    "auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "npv", "f1",
)  # fmt: skip
Area = Literal["auc", "average_precision"]  # under a curve
SPLIT_NAMES = {"val": "validation", "test": "test"}


def draw_metrics(metrics: Metrics) -> Figure:
    """Draw the main metrics of validation and test with their intervals, one row per metric."""
    figure, axes = new_figure(4.6, 3.9)
    for split, shift in (("test", -0.14), ("val", 0.14)):
        for row, name in enumerate(HEADLINE):
            draw_interval(axes, row + shift, **metrics[split][name], colour=SPLIT_COLOURS[split])
        axes.plot([], [], "o-", color=SPLIT_COLOURS[split], label=SPLIT_NAMES[split])
    names = [METRIC_NAMES[name].split(" (")[0].replace("Negative predictive value", "NPV") for name in HEADLINE]
    row_axes(axes, names)
    axes.set_xlim(right=1.005)
    axes.set_title("Metrics with 95% intervals")
    axes.legend(loc="upper center", bbox_to_anchor=(0.35, -0.08), ncols=2)
    return figure


def draw_roc(predictions: pd.DataFrame, metrics: Metrics, parameters: EvaluationParameters) -> Figure:
    """Draw the ROC curves; a 95% band (percentiles over groups) round test's, and where the threshold lies."""
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    _draw_curves(axes, roc_at, predictions, metrics, "auc", parameters.seed)
    _draw_point(axes, 1 - value_of(metrics["test"]["specificity"]), value_of(metrics["test"]["sensitivity"]))
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="1 - specificity", ylabel="sensitivity", title="ROC curve")
    axes.legend(loc="lower right")
    return figure


def draw_precision_recall(predictions: pd.DataFrame, metrics: Metrics, parameters: EvaluationParameters) -> Figure:
    """Draw precision over sensitivity; a 95% band (percentiles over groups) round test's, and the threshold."""
    figure, axes = new_figure()
    _draw_curves(axes, precision_at, predictions, metrics, "average_precision", parameters.seed)
    test, lowest = metrics["test"], min(line.get_ydata().min() for line in axes.get_lines())
    share = test["n_positive"] / test["n"]
    axes.axhline(share, color=MUTED, linewidth=1, linestyle=":", label="calling every image positive")
    if (precision := test["precision"]["value"]) is not None:
        _draw_point(axes, value_of(test["sensitivity"]), precision)
    bottom = max(-0.01, min(0.5, share - 0.1, lowest - 0.05))
    axes.set(xlim=(0, 1.01), ylim=(bottom, 1.01), xlabel="sensitivity (recall)", ylabel="precision")
    axes.set_title("Precision and recall")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.18), ncols=2)
    return figure


def _draw_curves(
    axes: Any, curve_at: CurveAt, predictions: pd.DataFrame, metrics: Metrics, name: Area, seed: int
) -> None:
    """Draw validation's curve thin and test's thick, in a band, with the metric under it in the legend."""
    for split, width in (("val", 1.2), ("test", 2.2)):
        columns, area = columns_of(predictions, split), metrics[split][name]
        curve = curve_at(columns["target"], columns["probability"], np.ones((1, len(columns["target"]))))[0]
        interval = "" if area["low"] is None else f" ({say_interval(area)})"
        label = f"{split} {say_number(area['value'])}{interval}"
        axes.plot(GRID, curve, color=SPLIT_COLOURS[split], linewidth=width, label=label)
    if metrics["test"][name]["low"] is not None:
        low, high = curve_band(curve_at, columns, seed)
        axes.fill_between(GRID, low, high, color=SPLIT_COLOURS["test"], alpha=0.15, linewidth=0)


def _draw_point(axes: Any, x: float, y: float) -> None:
    """Draw where the threshold lies on test's curve."""
    colour, label = SPLIT_COLOURS["test"], "test, at the threshold"
    axes.plot(x, y, "o", color=colour, markersize=8, markeredgecolor="white", label=label)


def draw_calibration(predictions: pd.DataFrame, metrics: Metrics) -> Figure:
    """Draw observed over predicted shares of the positive class on test, with 95% intervals."""
    figure, (axes, below) = new_figure(4.6, 3.9, rows=2, sharex=True, height_ratios=[4, 1])
    columns = columns_of(predictions, "test")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    bins, colour = reliability(columns["probability"], columns["target"], columns["group"]), SERIES[2]
    axes.vlines(bins["predicted"], bins["low"], bins["high"], color=colour, linewidth=2.2, alpha=0.4)
    label = _calibration_label(metrics["test"])
    axes.plot(bins["predicted"], bins["seen"], "-", color=colour, linewidth=1.4, label=label)
    size = 14 + 100 * bins["n"] / bins["n"].max()
    axes.scatter(bins["predicted"], bins["seen"], s=size, color=colour, alpha=0.75)
    below.hist(columns["probability"], bins=np.linspace(0, 1, 21), color=SERIES[2], alpha=0.75)
    below.set(xlabel="reported probability", ylabel="images", yscale="symlog", yticks=[0, 10, 100])
    below.yaxis.set_major_formatter("{x:g}")
    axes.set(ylim=(-0.04, 1.06), ylabel="observed share of positives", title="Calibration on test")
    below.legend(*axes.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.42, -0.62))
    return figure


def _calibration_label(measured: SplitMetrics) -> str:
    slope, ratio = measured["calibration_slope"]["value"], measured["observed_expected"]["value"]
    fitted = "cannot be fitted" if slope is None else say_number(slope, 2)
    return f"slope {fitted}, observed / expected {say_number(ratio, 2)}"


def draw_thresholds(predictions: pd.DataFrame, decision: Decision) -> Figure:
    """Draw sensitivity and specificity over the threshold: validation's thin, test's thick."""
    figure, axes = new_figure()
    for split, width, alpha in (("val", 1.1, 0.6), ("test", 2.2, 1.0)):
        columns = columns_of(predictions, split)
        table = threshold_candidates(columns["probability"], columns["target"])
        steps = np.r_[0, np.unique(columns["probability"]), 1]  # between two scores, nothing changes
        line = {"linewidth": width, "alpha": alpha, "drawstyle": "steps-post"}
        for name, colour in (("sensitivity", CLASS_COLOURS[1]), ("specificity", CLASS_COLOURS[0])):
            axes.plot(steps, np.r_[table[name], table[name][-1]], color=colour, label=f"{name}, {split}", **line)
    axes.axvline(decision["threshold"], color=INK, linewidth=1.2, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold on the reported probability")
    axes.set_title(f"Threshold {say_threshold(decision['threshold'])} ({decision['rule'].replace('_', ' ')})")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.18), ncols=2)
    return figure


def draw_confusion(predictions: pd.DataFrame) -> Figure:
    """Draw the confusion matrix of test: images and share of their true class."""
    from matplotlib.colors import LinearSegmentedColormap

    test = predictions[predictions["split"] == "test"]
    counts = np.zeros((2, 2), dtype=int)
    np.add.at(counts, (test["target"].to_numpy(), test["decision"].to_numpy()), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    labels = [test.loc[test["target"] == target, "label"].iloc[0] for target in (0, 1)]
    figure, axes = new_figure()
    axes.imshow(shares, LinearSegmentedColormap.from_list("", [PAPER, SERIES[0]]), vmin=0, vmax=1.15, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = PAPER if shares[row, column] > 0.6 else INK
        axes.text(column, row - 0.06, f"{count:,}", ha="center", color=colour, fontsize=17, fontweight="bold")
        axes.text(column, row + 0.2, say_percent(shares[row, column]), ha="center", color=colour, fontsize=10)
    axes.set_xticks([0, 1], [f"called {label}" for label in labels])
    axes.set_yticks([0, 1], [f"true\n{label}" for label in labels])
    axes.grid(visible=False)
    axes.set_title("Confusion matrix of test")
    return figure


def draw_subgroups(subgroups: pd.DataFrame) -> Figure:
    """Draw sensitivity by etiology, and specificity, of validation and test with intervals."""
    names = list(dict.fromkeys(subgroups["subgroup"]))
    metric = subgroups.drop_duplicates("subgroup").set_index("subgroup")["metric"]
    figure, axes = new_figure(4.6, 1.5 + 0.5 * len(names))
    for split, shift in (("test", -0.15), ("val", 0.15)):
        part = subgroups[subgroups["split"] == split].set_index("subgroup")
        for row, name in enumerate(names):
            if name in part.index:
                one = part.loc[name]
                draw_interval(axes, row + shift, one["value"], one["low"], one["high"], SPLIT_COLOURS[split])
        axes.plot([], [], "o-", color=SPLIT_COLOURS[split], label=SPLIT_NAMES[split])
    row_axes(axes, [f"{name}\n{metric[name]}" for name in names])
    axes.set_xlim(right=1.01)
    axes.set_title("Correct decisions by subgroup")
    axes.legend(loc="upper center", bbox_to_anchor=(0.35, -0.12), ncols=2)
    return figure


def draw_scores(predictions: pd.DataFrame, train_predictions: pd.DataFrame) -> Figure:
    """Draw the distribution of probabilities by split and class; different shapes mean a shift between the splits."""
    figure, axes = new_figure(4.6, 3.9, rows=3, sharex=True, sharey=True)
    everything = pd.concat([train_predictions, predictions], ignore_index=True)
    bins = np.linspace(0, 1, 26)
    for ax, split in zip(axes, ("train", "val", "test"), strict=True):
        part = everything[everything["split"] == split]
        for target, colour in enumerate(CLASS_COLOURS):
            members = part[part["target"] == target]
            label = str(members["label"].iloc[0]) if len(members) else ""
            weights = np.full(len(members), 1 / max(len(members), 1))
            ax.hist(members["probability"], bins, weights=weights, color=colour, alpha=0.6, label=label)
        ax.set_yscale("symlog", linthresh=0.02)
        ax.set_ylim(0, 1.3)
        ax.set_yticks([0, 0.1, 1], ["0", "10%", "100%"])
        ax.set_title(split, fontsize=9.5, fontweight="normal", pad=3)
    axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=2)
    axes[1].set_ylabel("share of the class's images")
    axes[2].set_xlabel("reported probability")
    return figure


def draw_decision_curve(decision_curve: pd.DataFrame, parameters: EvaluationParameters) -> Figure:
    """Draw the net benefit over the risk from which a person would treat, with a 95% band, against all and none.

    Without calibration, only that of the decisions.
    """
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


def draw_abstention(risk_coverage: pd.DataFrame, class_sets: pd.DataFrame) -> Figure:
    """Draw the share of errors over the share of test images that are kept, with a 95% band, and that of the sets."""
    figure, axes = new_figure()
    kept, colour = 100 * risk_coverage["kept"], SPLIT_COLOURS["test"]
    bounds = (100 * risk_coverage[name].astype(float) for name in ("low", "high"))
    axes.fill_between(kept, *bounds, color=colour, alpha=0.15, linewidth=0)
    axes.plot(kept, 100 * risk_coverage["error"], color=colour, label="the surest")
    sets = class_sets.iloc[-1]
    if sets["n_decided"]:
        axes.plot(100 * sets["one"], 100 * sets["error"], "D", color=INK, label="those with one class in their set")
    axes.set(xlim=(0, 101), ylim=(0, None), xlabel="test images that are kept, %", ylabel="of them wrong, %")
    axes.set_title("Errors among the images that are kept")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.17), ncols=2)
    return figure
