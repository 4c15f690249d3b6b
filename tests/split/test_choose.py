import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumonia.base.errors import UserError
from pneumonia.split.choose import choose_groups, draw_order

NORMAL, BACTERIA, VIRUS = ("NORMAL", "none"), ("PNEUMONIA", "bacteria"), ("PNEUMONIA", "virus")


@st.composite
def populations(draw, classes=((NORMAL,), (BACTERIA, VIRUS)), least=2):
    """Groups of one class each, and some of both, none larger than half of its class."""
    groups = {}
    for place, strata in enumerate(classes):
        drawn = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=least, max_size=40))
        largest, total = max(size for size, _ in drawn), sum(size for size, _ in drawn)
        drawn += [(1, 0)] * max(2 * largest - total, 0)
        for number, (size, first) in enumerate(drawn):
            first = min(first, size)
            groups[f"{place}-{number}"] = +Counter({strata[0]: first}) + Counter({strata[-1]: size - first})
    return groups


def labels(groups, names):
    return {label for name in names for label, _ in groups[name]}


@settings(deadline=None)
@given(populations(), st.integers(0, 2**31), st.sampled_from([0.1, 0.2, 0.5]))
def test_both_classes_are_on_both_sides(groups, seed, fraction):
    chosen = choose_groups(groups, fraction, seed, keep=1, part="val")

    assert chosen <= set(groups)
    assert labels(groups, chosen) == {"NORMAL", "PNEUMONIA"}
    assert labels(groups, set(groups) - chosen) == {"NORMAL", "PNEUMONIA"}


@settings(deadline=None)
@given(populations(least=3), st.integers(0, 2**31))
def test_a_class_keeps_as_many_groups_as_demanded(groups, seed):
    chosen = choose_groups(groups, 0.4, seed, keep=2, part="test")

    left = Counter(label for group in set(groups) - chosen for label in {label for label, _ in groups[group]})
    assert min(left.values()) >= 2
    assert labels(groups, chosen) == {"NORMAL", "PNEUMONIA"}


@settings(deadline=None)
@given(populations(), st.integers(0, 2**31), st.randoms())
def test_the_choice_depends_on_the_seed_alone_not_on_the_order(groups, seed, random):
    names = list(groups)
    random.shuffle(names)
    shuffled = {name: groups[name] for name in names}

    assert choose_groups(shuffled, 0.2, seed, keep=1, part="val") == choose_groups(
        groups, 0.2, seed, keep=1, part="val"
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=30, max_size=120), st.integers(0, 2**31))
def test_with_small_groups_the_share_is_within_one_image_of_the_demand(sizes, seed):
    sizes += [1] * 12
    groups = {f"{label}-{n}": Counter({(label, "x"): size}) for label in ("A", "B") for n, size in enumerate(sizes)}

    chosen = choose_groups(groups, 0.2, seed, keep=1, part="val")

    for label in ("A", "B"):
        count = sum(groups[name].total() for name in chosen if name.startswith(label))
        assert abs(count - 0.2 * sum(sizes)) <= 1


def test_another_seed_chooses_other_groups():
    groups = {f"{label}{n}": Counter({(label, "x"): 1}) for label in "AB" for n in range(50)}

    first, second = (choose_groups(groups, 0.2, seed, keep=1, part="val") for seed in (1, 2))
    assert len(first) == len(second) == 20
    assert first != second


def test_the_order_of_drawing_is_the_same_on_every_machine():
    # From `printf 42:bacteria-23 | sha256sum`.
    assert draw_order("bacteria-23", 42).hex() == "e64b8720eb6d7d63ca82a313df335ff874acd82acf56f61ad4a965852fab406a"


def test_a_group_of_both_classes_can_be_chosen():
    both = Counter({NORMAL: 1, BACTERIA: 1})

    chosen = choose_groups({"a": both, "b": both}, 0.2, seed=0, keep=1, part="val")
    assert len(chosen) == 1


def test_a_class_with_one_group_cannot_be_split():
    groups = {"a": Counter({NORMAL: 9}), "b": Counter({BACTERIA: 5}), "c": Counter({BACTERIA: 5})}

    with pytest.raises(UserError, match="NORMAL has 1 groups"):
        choose_groups(groups, 0.2, seed=0, keep=1, part="val")


def test_a_group_larger_than_either_part_is_named():
    groups = {"a": Counter({NORMAL: 9}), "b": Counter({NORMAL: 1})}

    with pytest.raises(UserError, match=r"Group a .* 9 of the 10 images .* NORMAL.* \(20%\) .* \(8\)"):
        choose_groups(groups, 0.2, seed=0, keep=1, part="val")


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.text("aé9", min_size=1, max_size=3), st.integers(1, 30), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_any_population_is_split_or_refused(sizes, seed):
    groups = {name: Counter({NORMAL: size}) for name, size in sizes.items()}
    is_impossible = len(sizes) < 2 or max(sizes.values()) > math.ceil(0.8 * sum(sizes.values()))

    if is_impossible:
        with pytest.raises(UserError):
            choose_groups(groups, 0.2, seed, keep=1, part="val")
    else:
        assert 0 < len(choose_groups(groups, 0.2, seed, keep=1, part="val")) < len(groups)
