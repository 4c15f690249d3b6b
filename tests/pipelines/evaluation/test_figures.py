import numpy as np
import pandas as pd
import pytest

from pneumonia.metrics.usefulness import trace_decision_curve
from pneumonia.pipelines.evaluation import figures
from pneumonia.pipelines.evaluation.audit_figures import draw_robustness, draw_shortcuts


def test_every_figure_of_the_report_is_drawn(pictures):
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert all(len(picture) > 5_000 for picture in pictures.values())


def test_the_roc_curve_of_test_passes_through_its_point_at_the_threshold(predictions, metrics, parameters):
    axes = figures.draw_roc(predictions, metrics, parameters).axes[0]
    _, _, curve, point = axes.lines
    test = metrics["test"]
    assert point.get_xydata().tolist() == [[1 - test["specificity"]["value"], test["sensitivity"]["value"]]]
    assert np.interp(*point.get_xdata(), *curve.get_data()) == pytest.approx(*point.get_ydata(), abs=0.02)


def test_the_curves_over_the_threshold_have_the_rates_of_the_metrics_there(predictions, decision, metrics):
    axes = figures.draw_thresholds(predictions, decision).axes[0]
    *_, sensitivity, specificity, line = axes.lines
    assert set(line.get_xdata()) == {decision["threshold"]}
    for curve, name in ((sensitivity, "sensitivity"), (specificity, "specificity")):
        scores, rates = curve.get_data()
        assert curve.get_drawstyle() == "steps-post"
        rate = rates[np.searchsorted(scores, decision["threshold"]) - 1]
        assert rate == pytest.approx(metrics["test"][name]["value"])


def test_the_bars_of_each_class_add_up_to_all_its_images_in_each_split(predictions):
    train = predictions[predictions["split"] == "val"].assign(split="train")
    for axes in figures.draw_scores(predictions, train).axes:
        heights = [sum(bar.get_height() for bar in bars) for bars in axes.containers]
        assert heights == pytest.approx([1, 1])


def test_a_cell_of_the_confusion_matrix_that_is_not_all_does_not_read_as_all():
    test = pd.DataFrame({"split": "test", "target": np.repeat([0, 1], 2500), "decision": np.repeat([0, 1], 2500)})
    test["label"] = test["target"].map({0: "NORMAL", 1: "PNEUMONIA"})
    test.loc[0, "decision"] = 1
    said = {text.get_text() for text in figures.draw_confusion(test).axes[0].texts}
    assert {"99.96%", "0.04%", "100.0%", "0.0%"} <= said


def test_the_thresholds_are_those_of_the_reported_probability(predictions, decision):
    assert (
        figures.draw_thresholds(predictions, decision).axes[0].get_xlabel() == "threshold on the reported probability"
    )


def test_each_subgroup_has_a_row_with_its_metric(material):
    axes = figures.draw_subgroups(material["subgroups"]).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert set(rows) == {
        "all NORMAL\nspecificity", "all PNEUMONIA\nsensitivity", "bacteria\nsensitivity", "virus\nsensitivity"
    }  # fmt: skip


@pytest.mark.parametrize(("method", "lines"), [("logistic", 4), ("none", 3)])
def test_the_decision_curve_by_the_probability_needs_a_calibration(predictions, decision, parameters, method, lines):
    changed = {**decision, "calibration": {**decision["calibration"], "method": method}}
    curve = trace_decision_curve(predictions, changed, parameters)
    axes = figures.draw_decision_curve(curve, parameters).axes[0]
    assert len(axes.lines) == lines
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), 100 * curve["as_decided"])


def test_shortcuts_stand_beside_the_network_whole_and_in_part(material):
    axes = draw_shortcuts(material["shortcut_audit"], material["region_audit"]).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows[-5:] == [
        "The network",
        "The network, centre hidden",
        "The network, border hidden",
        "The network, middle third",
        f"{rows[-1].removesuffix(', middle third')}, middle third",
    ]
    assert rows[-1].removesuffix(", middle third") in rows[:-5]


def test_the_confusion_matrix_shows_the_counts_of_the_metrics(predictions, metrics):
    axes = figures.draw_confusion(predictions).axes[0]
    counts = [text.get_text() for text in axes.texts[::2]]
    assert counts == [f"{metrics['test']['confusion'][name]:,}" for name in ("tn", "fp", "fn", "tp")]


def test_no_text_of_the_precision_figure_lies_under_its_legend(predictions, metrics, parameters):
    axes = figures.draw_precision_recall(predictions, metrics, parameters).axes[0]
    assert list(axes.texts) == []
    assert "calling every image positive" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_robustness_that_was_not_measured_is_said_to_be_so(robustness):
    axes = draw_robustness(robustness[:0]).axes[0]
    assert "not measured" in axes.texts[0].get_text()


def test_a_metric_without_a_value_is_left_out(metrics):
    undefined = {
        split: {**record, "npv": {"value": None, "low": None, "high": None}} for split, record in metrics.items()
    }
    drawn, left_out = (len(figures.draw_metrics(m).axes[0].lines) for m in (metrics, undefined))
    assert drawn - left_out == 4


def test_no_curve_and_no_dot_is_cut_off_and_no_band_drawn_without_an_interval(predictions, metrics, parameters):
    swapped = predictions.assign(probability=1 - predictions["probability"])
    (axes,) = figures.draw_precision_recall(swapped, metrics, parameters).axes
    assert axes.get_ylim()[0] < min(line.get_ydata().min() for line in axes.get_lines()[:2])
    assert len(axes.collections) == 1

    none = {"value": 0.0, "low": None, "high": None}
    test = {**metrics["test"], **dict.fromkeys(("auc", "sensitivity", "specificity"), none)}
    assert not figures.draw_roc(predictions, {**metrics, "test": test}, parameters).axes[0].collections
    lines = figures.draw_metrics({**metrics, "test": test}).axes[0].get_lines()
    assert not any(line.get_clip_on() for line in lines if line.get_marker() == "o" and len(line.get_xdata()))


def test_no_split_is_called_optimistic_in_a_legend_that_does_not_know_what_was_chosen(metrics):
    legend = figures.draw_metrics(metrics).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["test", "validation"]


def test_a_slope_that_cannot_be_fitted_is_named_in_the_legend(predictions, metrics):
    none = {"value": None, "low": None, "high": None}
    changed = {**metrics, "test": {**metrics["test"], "calibration_slope": none}}
    legend = figures.draw_calibration(predictions, changed).axes[1].get_legend()
    assert legend.get_texts()[0].get_text().startswith("slope cannot be fitted, observed / expected 1.")


def test_colours_of_the_classes_are_told_apart_by_everybody():
    # The two differ in relative luminance, so that they can be told apart even without colour.
    from matplotlib.colors import to_rgb

    from pneumonia.report.style import CLASS_COLOURS

    negative, positive = (np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722]) for colour in CLASS_COLOURS)
    assert abs(negative - positive) > 0.01
