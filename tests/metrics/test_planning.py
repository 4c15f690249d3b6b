import numpy as np
import pytest

from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.planning import WIDTHS, design_effect, images_for, plan_images


@pytest.mark.parametrize("rate", [0.95, 0.9, 0.8, 0.7])
@pytest.mark.parametrize("width", [0.2, 0.15, 0.1, 0.05])
def test_an_interval_of_so_many_images_is_as_wide_as_was_planned(rate, width):
    n = images_for(rate, width)
    found = estimate_rate(np.arange(n) < round(rate * n), np.arange(n))
    assert found["high"] - found["low"] == pytest.approx(width, rel=0.1)


def test_images_that_are_alike_in_pairs_take_twice_as_many():
    n = images_for(0.8, 0.1, effect=2.0, groups_per_image=0.5)
    groups = np.arange(n) // 2
    found = estimate_rate(groups < round(0.8 * n / 2), groups)
    assert found["high"] - found["low"] == pytest.approx(0.1, rel=0.05)
    assert n == pytest.approx(2 * images_for(0.8, 0.1), rel=0.01)


def test_the_table_of_the_docs_has_these_numbers(project):
    text = (project / "docs/prediction.md").read_text()
    for rate in (0.95, 0.9, 0.8, 0.7):
        cells = " | ".join(f"{images_for(rate, width):,}" for width in WIDTHS)
        assert f"| {rate:.2f} | {cells} |" in text


def test_what_is_planned_follows_from_the_rate_that_is_drawn_to_a_half():
    """80 of 100 right, drawn to 82 / 104."""
    target = np.r_[np.ones(100, int), np.zeros(50, int)]
    decision = np.r_[np.ones(80, int), np.zeros(20, int), np.zeros(50, int)]
    groups = np.array([f"g{n}" for n in range(150)])
    plan = plan_images(target, decision, groups, widths=[0.1]).set_index("rate")
    row = plan.loc["sensitivity"]
    assert (row["value"], row["n"], row["n_groups"]) == (0.8, 100, 100)
    assert row["design_effect"] == pytest.approx(100 / 99)
    assert row["images"] == images_for(82 / 104, 0.1, 100 / 99)
    assert row["further_images"] == row["further_groups"] == row["images"] - 100


def test_a_perfect_rate_does_not_promise_that_a_handful_suffices():
    target, decision = np.r_[1, 1, 0, 0], np.r_[1, 1, 0, 0]
    plan = plan_images(target, decision, np.array(list("abcd")), widths=[0.2])
    assert plan["images"].tolist() == [images_for(4 / 6, 0.2)] * 2  # 4 of 6 right
    assert plan["images"].min() > 86


def test_images_that_are_there_already_are_not_asked_for_again():
    target = np.r_[np.ones(500, int), np.zeros(500, int)]
    plan = plan_images(target, target, np.arange(1000).astype(str), widths=[0.2])
    assert plan[["further_images", "further_groups"]].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_images_of_one_group_that_are_all_alike_count_as_one():
    right = np.repeat([True, False] * 50, 4)
    groups = np.repeat(np.arange(100), 4).astype(str)
    assert design_effect(right, groups) == pytest.approx(4 * 100 / 99)


@pytest.mark.parametrize("groups", [np.array(["g"] * 6), np.arange(6).astype(str)])
def test_what_cannot_be_estimated_has_no_effect(groups):
    right = np.ones(6, bool) if len(set(groups)) > 1 else np.array([True, False] * 3)
    assert design_effect(right, groups) == 1.0
