import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.stretches import Measure, find_stretches, order_predictions
from pneumonia.pipelines.evaluation.audit_figures import draw_order
from pneumonia.report.judgements import judge_stretches, say_stretch
from pneumonia.report.words import Level


def predictions_of(wrong, score_of=None):
    """120 test groups of each class of two images each, of which the groups of these places of class N are wrong."""
    rows = [
        (f"test/{label}/{label}-{place:04}-{image}.png", f"{label}{place}", label, target, place)
        for label, target in (("N", 0), ("P", 1))
        for place in range(120)
        for image in range(2)
    ]
    table = pd.DataFrame(rows, columns=["path", "group", "label", "target", "place"])
    is_wrong = (table["label"] == "N") & table["place"].isin(wrong)
    decision = table["target"].where(~is_wrong, 1)
    score = 0.2 + 0.6 * decision if score_of is None else score_of(table)
    return table.assign(split="test", decision=decision, probability=score).sample(frac=1, random_state=0)


def test_errors_in_one_stretch_are_found_and_named(evaluation_parameters):
    order = order_predictions(predictions_of(range(50, 60)))

    (row,) = find_stretches(order, evaluation_parameters).query("measure == 'errors'").to_dict("records")

    # Stretches of 10, 20 and 40 groups in 120, of two classes; only one has errors, and only its stretches count.
    assert row == {
        "measure": "errors",
        "label": "N",
        "first": "test/N/N-0050-0.png",
        "last": "test/N/N-0059-0.png",
        "groups": 10,
        "images": 20,
        "value": 1.0,
        "overall": 10 / 120,
        "stretches": 111 + 101 + 81,
        "p": 0.001,
    }


def test_of_two_classes_the_stretch_that_stands_out_most_is_named_though_no_random_order_reaches_either(
    evaluation_parameters,
):
    table = predictions_of(range(50, 70))
    is_missed = (table["label"] == "P") & table["place"].between(20, 29)
    order = order_predictions(table.assign(decision=table["decision"].where(~is_missed, 0)))
    found = find_stretches(order, evaluation_parameters)
    assert set(found.loc[found["measure"] == Measure.ERRORS, "p"]) == {0.001}
    assert "from test/P/P-0020-0.png to test/P/P-0029-0.png" in judge_stretches(found)["text"]


def test_as_many_errors_spread_over_the_class_are_not_beyond_chance(evaluation_parameters):
    spread = find_stretches(order_predictions(predictions_of(range(0, 120, 12))), evaluation_parameters)
    together = find_stretches(order_predictions(predictions_of(range(50, 60))), evaluation_parameters)

    assert spread.loc[spread["measure"] == Measure.ERRORS, "p"].item() > 0.5
    assert judge_stretches(spread)["level"] == Level.GOOD
    assert judge_stretches(together)["level"] == Level.CAUTION
    said = judge_stretches(together)["text"]
    assert "from test/N/N-0050-0.png to test/N/N-0059-0.png (N, 20 images of 10 groups)" in said


def test_scores_that_are_all_alike_have_no_stretch(evaluation_parameters):
    alike = order_predictions(predictions_of([], lambda table: np.full(len(table), 0.99)))
    rounded = alike.assign(score=alike["score"] + 1e-16 * np.arange(len(alike)))
    assert find_stretches(rounded, evaluation_parameters).empty


def test_two_means_that_differ_do_not_read_alike():
    row = {"measure": "scores", "label": "N", "first": "N1", "last": "N10", "groups": 10, "images": 10}
    row |= {"value": 0.51512, "overall": 0.51498, "stretches": 40, "p": 0.006}
    assert "mean probability 0.5151, of all N 0.5150; p = 0.006" in say_stretch(row)
    assert "mean probability 0.500, of all N 0.500" in say_stretch(row | {"value": 0.5, "overall": 0.5})


def test_without_an_effect_one_order_in_twenty_has_a_p_below_a_twentieth(evaluation_parameters):
    """The least p is uniform over data without an order, whatever the size of the groups."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(20):
        errors = rng.random(240) < 0.1
        table = pd.DataFrame({"label": ["N", "P"] * 120, "form": "f", "group": [str(n) for n in range(240)]})
        table = table.assign(path=table["group"], split="test", images=rng.integers(1, 9, 240), score=rng.random(240))
        found = find_stretches(table.assign(errors=table["images"] * errors), evaluation_parameters)
        values.append(found[found["measure"] == Measure.ERRORS]["p"].min())

    assert np.mean(np.array(values) < 0.05) <= 0.15
    assert 0.35 < np.mean(values) < 0.65


@pytest.mark.parametrize("direction", [-1, 1])
def test_scores_that_shift_without_any_error_are_found(direction, evaluation_parameters):
    rng = np.random.default_rng(1)
    shifted = predictions_of(
        [],
        lambda table: (
            0.5
            + (table["target"] - 0.5) * 0.6
            + 0.1 * direction * ((table["label"] == "P") & table["place"].between(20, 59))
            + rng.uniform(-0.05, 0.05, len(table))
        ),
    )

    found = find_stretches(order_predictions(shifted), evaluation_parameters)

    row = found.sort_values("p").iloc[0]
    assert set(found["measure"]) == {Measure.SCORES}
    assert row[["label", "first", "last", "p"]].tolist() == ["P", "test/P/P-0020-0.png", "test/P/P-0059-0.png", 0.001]
    assert judge_stretches(found) is None


def test_no_stretch_reaches_from_one_form_of_names_into_another(evaluation_parameters):
    table = predictions_of(range(55, 65))
    is_other = (table["label"] == "N") & (table["place"] >= 60)
    table["path"] = table["path"].where(~is_other, table["path"].str.replace("N-", "Other-"))

    (row,) = (
        find_stretches(order_predictions(table), evaluation_parameters).query("measure == 'errors'").to_dict("records")
    )

    assert (row["groups"], row["value"]) == (10, 0.5)
    assert row["stretches"] == 2 * (51 + 41)


def test_names_without_an_order_give_no_rows_and_a_figure_that_says_so(evaluation_parameters):
    table = predictions_of(range(5)).assign(
        path=lambda rows: [f"{'abcdefgh'[n % 8] * n}.png" for n in range(len(rows))]
    )

    order = order_predictions(table)
    found = find_stretches(order, evaluation_parameters)

    assert order.empty
    assert found.empty
    assert judge_stretches(found) is None
    assert [text.get_text() for text in draw_order(order, found).axes[0].texts] == [
        "not measured: the names of the images have no order"
    ]


def test_the_figure_marks_groups_with_an_error_and_the_stretch(evaluation_parameters):
    order = order_predictions(predictions_of(range(50, 60)))

    figure = draw_order(order, find_stretches(order, evaluation_parameters))

    first, second = figure.axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["N", "P"]
    assert [len(axes.collections[3].get_offsets()) for axes in (first, second)] == [10, 0]
    (band,) = first.patches
    assert (band.get_x(), band.get_width()) == (50.5, 10)
    assert not second.patches
