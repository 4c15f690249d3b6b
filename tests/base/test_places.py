import pytest
from kedro.framework.cli.utils import _split_params
from pydantic import ValidationError

from pneumonia.base.parameters import ExternalParameters, PredictionParameters
from pneumonia.base.places import plain_place


@pytest.mark.parametrize("name", ["ward 3", "north+south", "서울 병원", "St. Mary (2)", "own test", "test", "a" * 60])
def test_a_name_is_taken_by_both_parameters_and_by_a_command_line(default_parameters, name):
    for group, model in (("external", ExternalParameters), ("prediction", PredictionParameters)):
        assert model.model_validate({**default_parameters[group], "place": name}).place == name
    assert plain_place(name) == name
    assert _split_params(None, None, f"prediction.place={name}") == {"prediction": {"place": name}}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a" * 61, "has 61 characters: a name has at most 60"),
        ("ward 3, east", "has a comma, at which --params would cut it"),
        (2024, "is read as a number or a truth value"),
        ("2024", "must not read as a number"),
        ("true", "must not read as a number or a truth value"),
        ("[north", "may have letters"),
        (" north", "may have letters"),
        ("", "means something else"),
        ("own images", "means something else"),
    ],
)
def test_a_name_that_could_not_be_given_again_is_refused_with_the_reason(default_parameters, name, reason):
    for group, model in (("external", ExternalParameters), ("prediction", PredictionParameters)):
        with pytest.raises(ValidationError, match=reason):
            model.model_validate({**default_parameters[group], "place": name})


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("ward 3, east", "ward 3- east"),
        ("a" * 70, "a" * 60),
        ("2024", "place-2024"),
        ("none", "place-none"),
        ("own images", "place-own images"),
        ("[old] images", "-old- images"),
    ],
)
def test_a_place_called_after_its_folder_has_a_name_that_can_be_given(default_parameters, source, name):
    assert plain_place(source) == name
    assert PredictionParameters.model_validate({**default_parameters["prediction"], "place": name}).place == name


def test_none_is_only_the_choice_of_no_place(default_parameters):
    assert PredictionParameters.model_validate({**default_parameters["prediction"], "place": "none"}).place == "none"
    with pytest.raises(ValidationError, match="cannot be called 'none'"):
        ExternalParameters.model_validate({**default_parameters["external"], "place": "none"})
