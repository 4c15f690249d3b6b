import math

from pneumonia.metrics.bounds import UNDEFINED
from pneumonia.metrics.registry import in_columns, value_of

ESTIMATE = {"value": 0.9, "low": 0.8, "high": None}


def test_an_estimate_becomes_three_columns():
    assert in_columns(ESTIMATE, "auc") == {"auc": 0.9, "auc_low": 0.8, "auc_high": None}
    assert in_columns(ESTIMATE, "auc", bounds="") == {"auc": 0.9, "low": 0.8, "high": None}


def test_the_value_of_an_undefined_estimate_is_not_a_number():
    assert value_of(ESTIMATE) == 0.9
    assert math.isnan(value_of(UNDEFINED))
