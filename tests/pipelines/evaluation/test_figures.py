import numpy as np

from pneumonia.pipelines.evaluation.audit.figures import draw_robustness
from pneumonia.pipelines.evaluation.measure import figures


def test_every_figure_of_the_report_is_drawn(pictures):
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert all(len(picture) > 5_000 for picture in pictures.values())


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


def test_a_slope_that_cannot_be_fitted_is_named_in_the_legend(predictions, metrics):
    none = {"value": None, "low": None, "high": None}
    changed = {**metrics, "test": {**metrics["test"], "calibration_slope": none}}
    legend = figures.draw_calibration(predictions, changed).axes[1].get_legend()
    assert legend.get_texts()[1].get_text().startswith("after: slope cannot be fitted, observed / expected 1.")


def test_probabilities_that_were_not_calibrated_are_drawn_once(predictions, metrics):
    plain = predictions.assign(calibrated_probability=predictions["probability"])
    (label,) = figures.draw_calibration(plain, metrics).axes[1].get_legend().get_texts()
    assert label.get_text().startswith("not calibrated: slope ")


def test_colours_of_the_classes_are_told_apart_by_everybody():
    # The two differ in relative luminance, so that they can be told apart even without colour.
    from matplotlib.colors import to_rgb

    from pneumonia.report.style import CLASS_COLOURS

    negative, positive = (np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722]) for colour in CLASS_COLOURS)
    assert abs(negative - positive) > 0.01
