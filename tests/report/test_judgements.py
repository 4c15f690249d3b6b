import pandas as pd
import pytest

from pneumonia.report.judgements import judge_confounding, judge_patients
from pneumonia.report.limits import say_fairness

STRATA = pd.DataFrame({"attribute": ["age", "age", "sex", "sex"], "value": ["a", "b", "F", "M"]})


def differences(*rows):
    """Rows of difference, its own half width and the joint one."""
    columns = ["difference", "own", "joint"]
    table = pd.DataFrame(rows, columns=columns).assign(
        attribute="sex", value="F", against="M", measure="sensitivity", n=50, n_against=60
    )
    for name, low, high in (("own", "low", "high"), ("joint", "joint_low", "joint_high")):
        table[low], table[high] = table["difference"] - table[name], table["difference"] + table[name]
    return table


@pytest.mark.parametrize(
    ("rows", "level", "title"),
    [
        ([(0.3, 0.1, 0.15), (0.0, 0.1, 0.1)], "bad", "The result differs between parts of the images"),
        ([(0.15, 0.05, 0.1)], "caution", "The result differs between parts of the images"),
        ([(0.15, 0.1, 0.2)], "caution", "Differences between parts of the images are neither shown nor excluded"),
        ([(0.02, 0.03, 0.05), (-0.03, 0.04, 0.06)], "good", "Parts of the images differ by at most 0.1 of sens"),
        ([], "caution", "Parts of the images cannot be compared"),
    ],
)
def test_only_what_holds_for_all_comparisons_together_is_claimed(rows, level, title):
    said = judge_patients(STRATA, differences(*rows))
    assert said["level"] == level
    assert said["title"].startswith(title)


def test_an_interval_that_excludes_zero_alone_is_set_against_those_that_chance_gives():
    text = judge_patients(STRATA, differences((0.15, 0.1, 0.2), *[(0.0, 0.1, 0.2)] * 19))["text"]
    assert "of 20 comparisons, the 95% interval of 1 excludes zero (1 would by chance if there were no diff" in text
    assert "the joint one (Bonferroni) of none." in text


def test_of_patients_of_whom_nothing_is_known_nothing_is_said():
    assert judge_patients(STRATA.head(0), differences()) is None


@pytest.mark.parametrize(
    ("known", "compared", "said"),
    [
        ([], [], "Sex and age were not examined, so nothing is known about fairness."),
        (["view", "device"], ["view"], "Sex and age were not examined, so nothing is known about fairness."),
        (["sex"], ["sex"], "Age was not examined. Of what may make a result unfair, only sex was looked at."),
        (["age", "sex"], ["age", "sex"], "Of what may make a result unfair, only sex and age were looked at."),
        (
            ["age", "sex"],
            ["age"],
            "Sex is known, but with parts too small to compare. Of what may make a result unfair, only age was looked "
            "at.",
        ),
        (["age", "sex"], ["view"], "Sex and age are known, but with parts too small to compare."),
    ],
)
def test_a_trait_is_said_to_be_looked_at_only_where_it_was_compared(known, compared, said):
    assert say_fairness(pd.DataFrame({"attribute": known}), pd.DataFrame({"attribute": compared})) == said


def test_what_was_not_compared_is_not_said_to_be_alike():
    said = judge_patients(STRATA, differences((0.02, 0.03, 0.05)))
    assert said["title"] == "Parts of the images differ by at most 0.1 of sensitivity"
    assert said["text"] == (
        "By sex, on test: of 1 comparison, the 95% interval of none excludes zero (0.05 would by chance if there were "
        "no difference), the joint one (Bonferroni) of none. Known, but with parts too small to compare: age."
    )


def of_devices(*rows):
    table = pd.DataFrame(rows, columns=["value", "n", "n_positive"])
    return table.assign(attribute="device")


def test_where_each_device_took_one_class_it_is_said_that_the_device_tells_it():
    said = judge_confounding(of_devices(("Acme", 60, 60), ("Bolt", 40, 0), ("not known", 9, 4)))
    assert (said["level"], said["title"]) == ("bad", "The class follows from the device")
    assert said["text"].startswith("Where known on test, all images with the same device are of one class.")


@pytest.mark.parametrize(
    "rows",
    [
        [("Acme", 60, 60), ("Bolt", 40, 1)],
        [("Acme", 60, 60), ("Bolt", 9, 0)],  # too few to be more than chance
        [(f"device {number}", 1, number % 2) for number in range(40)],  # each image has its own
        [("Acme", 100, 40)],
        [],
    ],
)
def test_a_device_that_took_both_classes_or_few_images_is_not_said_to_tell_them(rows):
    assert judge_confounding(of_devices(*rows)) is None
