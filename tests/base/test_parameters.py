import copy
import functools

import pytest
import yaml
from pydantic import ValidationError

from pneumonia.base.parameters import IngestParameters, Parameters


@pytest.fixture(scope="module")
def delivered(project):
    return yaml.safe_load((project / "conf/base/parameters_ingest.yml").read_text())["ingest"]


def test_the_delivered_parameters_are_valid(delivered):
    parameters = IngestParameters.model_validate(delivered)

    assert (parameters.positive_class, parameters.val_fraction, parameters.group_by) == (
        "PNEUMONIA",
        0.2,
        "etiology_number",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ["A", "A"], "positive_class": "A"}, "two different folders"),
        ({"class_names": ["A", "B", "C"]}, "class_names"),
        ({"positive_class": "COVID"}, "must be one of class_names, NORMAL or PNEUMONIA"),
        ({"group_patterns": ["person(\\d+)"]}, r"has no part \(\?P<number>"),
        ({"group_patterns": ["("]}, "is not a regular expression"),
        ({"group_by": "patient"}, "group_by"),
        ({"val_fraction": 1.0}, "val_fraction"),
        ({"test_fraction": 0}, "test_fraction"),
        ({"max_rejected": 1.5}, "max_rejected"),
        ({"seed": "forty-two"}, "seed"),
        ({"rehash": "yes"}, "rehash"),
        ({"max_pixels": 178_956_971}, "max_pixels"),
        ({"max_pixel": 5}, "max_pixel"),
    ],
)
def test_an_impossible_parameter_is_refused(delivered, change, message):
    with pytest.raises(ValidationError, match=message):
        IngestParameters.model_validate({**delivered, **change})


def numbers(group, prefix=()):
    """Yield each number in the parameters, after its path."""
    for name, value in group.items():
        if isinstance(value, dict):
            yield from numbers(value, (*prefix, name))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*prefix, name), value


def test_no_number_may_be_infinite_or_overflow(default_parameters):
    for path, value in numbers(default_parameters):
        for impossible in (float("inf"), float("nan")) if isinstance(value, float) else (10**20,):
            changed = copy.deepcopy(default_parameters)
            group = functools.reduce(dict.__getitem__, path[:-1], changed)
            group[path[-1]] = impossible
            with pytest.raises(ValidationError, match=path[-1]):
                Parameters.model_validate(changed)
