import pytest

from pneumonia.report.render import say_cell
from pneumonia.report.words import (
    say_beside_chance,
    say_bounds,
    say_command,
    say_interval,
    say_number,
    say_percent,
    say_share_beside,
    say_share_bounds,
    say_share_interval,
    say_threshold,
)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (say_number(-1e-12), "0.000"),
        (say_number(-0.0004), "-0.0004"),
        (say_number(0.0), "0.000"),
        (say_number(-0.0006), "-0.001"),
        (say_number(None), "–"),
        (say_number(float("nan")), "–"),
        (say_number(12.745), "12.74"),
        (say_number(1953.404), "1,953"),
        (say_number(950.3, 1), "950.3"),
        (say_percent(-0.0001), "0.0%"),
        (say_percent(0.0), "0.0%"),
        (say_percent(1.0, 0), "100%"),
        (say_percent(0.9996), "99.96%"),  # not all
        (say_percent(0.004, 0), "0.4%"),  # not none
        (say_percent(0.999996), "99.9996%"),
        (say_percent(1e-12), "0.0%"),
        (say_number(0.9997), "0.9997"),  # not 1.000: some pairs are ranked wrongly
        (say_number(0.99999996), "0.99999996"),
        (say_number(1 - 1e-12), "1.000"),
        (say_number(1.0), "1.000"),
        (say_number(1.002, 2), "1.002"),
        (say_number(-0.9999), "-0.9999"),
        (say_number(0.8, 0), "1"),
        (say_cell(0.9997), "0.9997"),
        (say_cell(0.0), "0.000"),
        (say_cell(12.0), "12"),
        (say_threshold(0.9999), "0.9999"),
        (say_threshold(1.0), "1.000"),
        (say_interval({"low": -0.004, "high": 0.25}, 2), "-0.004 to 0.25"),
        (say_interval({"low": -0.25, "high": -0.001}, 2), "-0.25 to -0.001"),  # it does not include zero
        (say_interval({"low": 0.0004, "high": 0.71312}), "0.0004 to 0.713"),
        (say_interval({"low": 1e-10, "high": 1.0}), "0.000 to 1.000"),
        (say_interval({"low": 3.517, "high": 1953.4}, 2), "3.52 to 1,953"),
        (say_interval({"low": 0.0, "high": 0.004}, 2), "0.00 to 0.004"),
        (say_interval({"low": -0.001, "high": None}, 2), "at least -0.001"),
        (say_interval({"low": None, "high": None}), "no interval"),
        (say_bounds({"low": None, "high": None}), "no interval"),
        (say_bounds({"low": 0.5, "high": 0.6}, 2), "95% interval 0.50 to 0.60"),
        (say_bounds({"low": 0.5, "high": None}, 2), "95% interval at least 0.50"),
        (say_share_beside(0.4997, 0.5), "49.97%"),  # called negative
        (say_share_beside(0.5, 0.5), "50.0%"),
        (say_share_beside(0.5001, 0.5), "50.0%"),
        (say_beside_chance({"low": 0.50004, "high": 0.73}), "0.50004 to 0.730"),  # better than chance
        (say_beside_chance({"low": 0.3, "high": 0.4996}), "0.300 to 0.4996"),
        (say_beside_chance({"low": 0.4996, "high": 0.5}), "0.500 to 0.500"),
        (say_share_beside(0.44, 0.5), "44.0%"),
        (say_share_beside(0.4472, 0.4474), "44.7%"),
        (say_share_beside(1.0, 0.5), "100.0%"),
        (say_share_beside(0.9999, 1.0), "99.99%"),
        (say_share_interval({"low": 0.7164, "high": 0.9996}), "71.6% to 99.96%"),
        (say_share_bounds({"low": 0.0, "high": 0.5}, 0), "95% interval 0% to 50%"),
        (say_share_bounds({"low": None, "high": None}), "no interval"),
        (say_share_bounds({"low": float("nan"), "high": float("nan")}), "no interval"),
    ],
)
def test_numbers_are_rounded_and_no_zero_has_a_sign(said, text):
    assert said == text


@pytest.mark.parametrize(
    ("command", "environment", "said"),
    [
        ("kedro run --env=demo", "demo", "kedro run --pipelines=external --env=demo"),
        ("kedro run", "local", "kedro run --pipelines=external"),
        ("python -m pneumonia --env=demo", "demo", "python -m pneumonia --pipelines=external --env=demo"),
    ],
)
def test_a_command_runs_where_the_page_was_made(command, environment, said):
    assert say_command({"command": command, "environment": environment}, "--pipelines=external") == said
