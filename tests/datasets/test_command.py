import sys
from importlib import metadata

import click
import pytest

from pneumonia.base.errors import UserError
from pneumonia.datasets.command import INSTALLED, this_command
from pneumonia.datasets.errors import PlainError, plainly


@plainly
def refuse():
    raise UserError("Train one: kedro run --pipelines=training. It needs pip install -e \".[export]\" and -e '.[gpu]'.")


def started(program, *arguments):
    """What a run says and records if a program starts it with these arguments."""

    @click.command()
    @click.option("--conf-source")
    def run(conf_source):
        with pytest.raises(PlainError) as raised:
            refuse()
        return raised.value.message, this_command()

    return run.main(list(arguments), prog_name=program, standalone_mode=False)


@pytest.mark.parametrize(
    ("program", "words", "advice"),
    [
        ("kedro run", ["run", "--conf-source=my conf"], "kedro run"),
        (INSTALLED, [], INSTALLED),
        (INSTALLED, ["--conf-source=my conf"], f"{INSTALLED} --conf-source='my conf'"),
    ],
)
def test_advice_and_record_name_the_command_that_was_used(monkeypatch, program, words, advice):
    monkeypatch.setattr(sys, "argv", ["/bin/program", *words])
    said, recorded = started(program, *(word for word in words if word != "run"))

    wheel = f"pneumonia-{metadata.version('pneumonia')}-py3-none-any.whl"
    extras = "-e \".[export]\" and -e '.[gpu]'" if "kedro" in program else f"\"{wheel}[export]\" and '{wheel}[gpu]'"
    assert said == f"Train one: {advice} --pipelines=training. It needs pip install {extras}."
    assert recorded.startswith(program)
    assert recorded.endswith(" '--conf-source=my conf'" if words else INSTALLED)


def test_without_a_command_line_the_advice_is_that_of_a_checkout():
    with pytest.raises(PlainError, match=r"^Train one: kedro run --pipelines=training\. It needs pip install -e"):
        refuse()
