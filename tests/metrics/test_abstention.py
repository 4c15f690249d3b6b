import numpy as np
import pandas as pd
import pytest

from pneumonia.metrics.logistic import expit
from pneumonia.metrics.usefulness import bound_classes, measure_sets, trace_risk
from pneumonia.pipelines.evaluation.figures import draw_abstention


def table(split, target, probability, group=None):
    n = len(target)
    return pd.DataFrame(
        {
            "split": split,
            "group": np.arange(n) if group is None else group,
            "label": np.where(np.array(target) == 1, "PNEUMONIA", "NORMAL"),
            "target": target,
            "probability": probability,
            "decision": (np.array(probability) >= 0.5).astype(int),
        }
    )


def test_the_surest_images_are_those_farthest_from_the_threshold_in_log_odds():
    test = table("test", [1, 1, 1, 0], [0.99, 0.7, 0.2, 0.45])
    rows = trace_risk(pd.concat([table("val", [1], [0.1]), test]), {"threshold": 0.5})

    assert rows[["kept", "n", "errors"]].to_numpy().tolist() == [[1, 4, 1], [0.75, 3, 1], [0.5, 2, 1], [0.25, 1, 0]]
    assert rows["error"].tolist() == pytest.approx([1 / 4, 1 / 3, 1 / 2, 0])
    at_another = trace_risk(test, {"threshold": 0.8})
    assert at_another["errors"].tolist()[0] == 1  # of the decisions as they are
    assert at_another.iloc[-1][["n", "errors"]].tolist() == [1, 0]  # 0.99


def test_images_of_which_it_is_equally_sure_are_kept_together():
    rows = trace_risk(table("test", [1] * 10, [0.9] * 9 + [0.6]), {"threshold": 0.5})
    assert rows["n"].tolist() == [10, 9]


def test_a_set_has_the_classes_that_validation_does_not_exclude():
    low, high = np.linspace(0.01, 0.40, 40), np.linspace(0.60, 0.99, 40)
    val = table("val", [0] * 40 + [1] * 40, [*low, *high])
    test = table("test", [0, 0, 1, 1], [0.30, 0.50, 0.62, 0.37])
    rows = measure_sets(pd.concat([val, test])).set_index("label")

    # Of 40 groups and a new one, 39 hold 95%: one image of each class lies beyond its bound.
    assert rows["bound"].tolist()[:2] == pytest.approx([0.39, 0.61])
    assert rows.loc["all", ["n", "one", "both", "neither", "n_decided", "errors"]].tolist() == [4, 0.75, 0, 0.25, 3, 1]
    assert rows["held"].tolist() == [0.5, 0.5, 0.5]


def test_the_figure_has_the_surest_images_and_those_with_one_class():
    val = table("val", [0] * 40 + [1] * 40, [*np.linspace(0.01, 0.40, 40), *np.linspace(0.60, 0.99, 40)])
    test = table("test", [0, 0, 1, 1], [0.30, 0.50, 0.62, 0.37])
    (axes,) = draw_abstention(trace_risk(test, {"threshold": 0.5}), measure_sets(pd.concat([val, test]))).axes
    surest, decided = axes.get_lines()
    assert surest.get_xdata().tolist() == [100, 75, 50, 25]
    assert (decided.get_xdata()[0], decided.get_ydata()[0]) == (75, pytest.approx(100 / 3))


def test_a_class_of_few_groups_is_never_excluded():
    few = table("val", [0] * 40 + [1] * 18, [0.1] * 40 + [0.9] * 18)
    rows = measure_sets(pd.concat([few, table("test", [0, 1], [0.05, 0.9])])).set_index("label")

    assert np.isnan(rows.loc["PNEUMONIA", "bound"])
    assert rows.loc["NORMAL", ["held", "both"]].tolist() == [1, 1]
    assert rows.loc["PNEUMONIA", ["held", "one"]].tolist() == [1, 1]


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_sets_lack_the_class_of_a_new_groups_image_in_one_of_twenty_cases_at_most(alike):
    """2,000 draws of 60 groups of 1 to 20 images, of which 30 positive, and of an image of a new one.

    Two standard errors are 0.010. Images that are not alike in a group are as many as if there were more groups, so
    that the bound, for which groups count, is on the safe side.
    """
    rng, draws, missed = np.random.default_rng(3), 2000, []
    for _ in range(draws):
        sizes = rng.integers(1, 21, 61)
        group = np.repeat(np.arange(61), sizes)
        noise = np.sqrt(alike) * rng.normal(size=61)[group] + np.sqrt(1 - alike) * rng.normal(size=len(group))
        target = (group % 2 == 0).astype(int)
        probability, is_known = expit(2 * target - 1 + noise), group < 60
        bounds = bound_classes(target[is_known], probability[is_known], group[is_known])
        missed.append(probability[~is_known][0] < bounds[1])  # group 60 is positive
    assert 0.01 < np.mean(missed) < 0.05 + 0.010
