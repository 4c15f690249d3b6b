import numpy as np
import pytest
from sklearn import metrics as sk

from pneumonia.pipelines.evaluation import figure_nodes
from pneumonia.pipelines.evaluation.figure_nodes import GRID, precision_at, roc_at


@pytest.fixture(scope="module")
def columns(predictions):
    test = predictions[predictions["split"] == "test"]
    return test["target"].to_numpy(), test["probability"].to_numpy()


def test_the_area_under_the_drawn_roc_curve_is_the_auc(columns):
    curve = roc_at(*columns, np.ones((1, len(columns[0]))))[0]
    assert np.trapezoid(curve, GRID) == pytest.approx(sk.roc_auc_score(*columns), abs=2e-3)
    assert (np.diff(curve) >= 0).all()


def test_the_precision_of_the_worked_example():
    # In descending order: positive, negative, positive. Half of them are found at precision 1, all at 2 / 3.
    curve = precision_at(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7]), np.ones((1, 3)))[0]
    assert curve[GRID <= 0.5].tolist() == [1.0] * 101
    np.testing.assert_allclose(curve[GRID > 0.5], 2 / 3)


def test_a_weight_of_two_draws_the_curves_of_an_image_that_is_there_twice():
    target, probability = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    twice = np.array([0, 1, 1, 2, 3])
    for curve_at in (roc_at, precision_at):
        weighted = curve_at(target, probability, np.array([[1.0, 2.0, 1.0, 1.0]]))
        np.testing.assert_allclose(weighted, curve_at(target[twice], probability[twice], np.ones((1, 5))))


def test_every_figure_of_the_report_is_drawn(pictures):
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert all(len(picture) > 5_000 for picture in pictures.values())


def test_the_confusion_matrix_shows_the_counts_of_the_metrics(predictions, metrics):
    axes = figure_nodes.draw_confusion(predictions).axes[0]
    counts = [text.get_text() for text in axes.texts[::2]]
    assert counts == [f"{metrics['test']['confusion'][name]:,}" for name in ("tn", "fp", "fn", "tp")]


def test_robustness_that_was_not_measured_is_said_to_be_so(robustness):
    axes = figure_nodes.draw_robustness(robustness[:0]).axes[0]
    assert "not measured" in axes.texts[0].get_text()


def test_a_metric_without_a_value_is_left_out(metrics):
    undefined = {
        split: {**record, "npv": {"value": None, "low": None, "high": None}} for split, record in metrics.items()
    }
    drawn, left_out = (len(figure_nodes.draw_metrics(m).axes[0].lines) for m in (metrics, undefined))
    assert drawn - left_out == 4


def test_colours_of_the_classes_are_told_apart_by_everybody():
    # Relative luminance of the two differs, so that they are told apart without colour as well.
    from matplotlib.colors import to_rgb

    from pneumonia.figures import CLASS_COLOURS

    negative, positive = (np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722]) for colour in CLASS_COLOURS)
    assert abs(negative - positive) > 0.01
