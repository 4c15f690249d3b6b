import pandas as pd
import pytest

from pneumonia.report.study import draw_study


def test_every_training_is_a_dot_and_each_recipe_has_a_line_at_its_mean():
    rows = [
        {"recipe": recipe, "seed": seed, "fold": 1, "untouched_auc": auc, "untouched_specificity": 0.5}
        for recipe, aucs in (("base", (0.9, 0.94)), ("other", (0.95, 0.97)))
        for seed, auc in enumerate(aucs)
    ]

    left, right = draw_study(pd.DataFrame(rows)).axes

    dots, mean, others, _ = left.get_lines()
    assert (list(dots.get_xdata()), list(others.get_xdata())) == ([0.9, 0.94], [0.95, 0.97])
    assert list(mean.get_xdata()) == pytest.approx([0.92, 0.92])
    assert [label.get_text() for label in left.get_yticklabels()] == ["base", "other"]
    assert [label.get_text() for label in right.get_yticklabels()] == ["", ""]
