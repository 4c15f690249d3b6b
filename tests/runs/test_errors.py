import pytest

from pneumonia.base.errors import UserError
from pneumonia.runs.errors import PlainError, enter_environment, in_this_environment, plainly


@pytest.fixture(autouse=True)
def _leave():
    yield
    enter_environment(None)


@pytest.mark.parametrize("env", [None, "local"])
def test_commands_of_the_usual_environment_name_none(env):
    enter_environment(env)
    said = "Evaluate it: kedro run --pipelines=evaluation. To try: kedro run --env=demo."
    assert in_this_environment(said) == said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Fit it by kedro run --pipelines=external.", "Fit it by kedro run --env=notes --pipelines=external."),
        ("Try kedro run --env=demo. Or kedro run.", "Try kedro run --env=demo. Or kedro run --env=notes."),
        ("kedro run --pipelines=inputs (with the same --env)", "kedro run --pipelines=inputs (with the same --env)"),
        ("kedro run --pipelines=training --env=notes.", "kedro run --pipelines=training --env=notes."),
    ],
)
def test_commands_run_in_the_environment_of_the_run_unless_they_name_one(message, said):
    enter_environment("notes")

    @plainly
    def fail():
        raise UserError(message)

    with pytest.raises(PlainError) as error:
        fail()
    assert error.value.message == said
