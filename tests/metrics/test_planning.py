import numpy as np
import pytest

from pneumonia.metrics.planning import design_effect, plan_images


def test_images_follow_from_rate_and_width():
    """80 of 100 right, drawn to 82 / 104: 0.788 x 0.212 x (2 x 1.96 / 0.1)^2 = 256.3."""
    target = np.r_[np.ones(100, int), np.zeros(50, int)]
    decision = np.r_[np.ones(80, int), np.zeros(20, int), np.zeros(50, int)]
    groups = np.array([f"g{n}" for n in range(150)])
    plan = plan_images(target, decision, groups, widths=[0.1]).set_index("rate")
    row = plan.loc["sensitivity"]
    assert (row["value"], row["n"], row["n_groups"]) == (0.8, 100, 100)
    assert row["design_effect"] == pytest.approx(100 / 99)
    assert row["images"] == np.ceil(256.283 * 100 / 99) == 259
    assert (row["further_images"], row["further_groups"]) == (159, 159)


def test_a_perfect_rate_does_not_promise_that_a_handful_suffices():
    target, decision = np.r_[1, 1, 0, 0], np.r_[1, 1, 0, 0]
    plan = plan_images(target, decision, np.array(list("abcd")), widths=[0.2])
    assert plan["images"].tolist() == [86, 86]  # 4 of 6 right


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
