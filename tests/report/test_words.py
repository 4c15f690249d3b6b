import pytest

from pneumonia.report.words import say_interval, say_number, say_percent


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (say_number(-0.0004), "0.000"),
        (say_number(-0.0006), "-0.001"),
        (say_number(None), "–"),
        (say_number(float("nan")), "–"),
        (say_percent(-0.0001), "0.0%"),
        (say_interval({"low": -0.004, "high": 0.25}, 2), "0.00 to 0.25"),
        (say_interval({"low": -0.25, "high": -0.001}, 2), "-0.250 to -0.001"),  # it does not include zero
        (say_interval({"low": 0.0, "high": 0.004}, 2), "0.00 to 0.00"),
        (say_interval({"low": -0.001, "high": None}, 2), "at least 0.00"),
        (say_interval({"low": None, "high": None}), "no interval"),
    ],
)
def test_numbers_are_rounded_and_no_zero_has_a_sign(said, text):
    assert said == text
