"""Records and tables with the right checksum and another layout."""

import json
from functools import reduce

import numpy as np
import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.metrics.decision_contracts import DecisionContract
from pneumonia.metrics.summary import MetricsContract, SubgroupsContract
from pneumonia.predictor.image_range import RangeContract, fit_range
from pneumonia.report.record import RunRecordContract

ESTIMATE = {"value": np.float64(0.9), "low": None, "high": 1}
SPLIT = {
    **dict.fromkeys(("auc", "accuracy", "sensitivity", "specificity"), ESTIMATE),
    **{"n": np.int64(9), "n_groups": 8, "n_positive": 5, "threshold": 0.5},
    "confusion": {"tn": 3, "fp": 1, "fn": 0, "tp": 5},
    "more": "of another release",
}
NOISE = {kind: np.random.default_rng(1).normal(size=(30, size)) for kind, size in (("grey", 4), ("features", 3))}
RIGHT = {
    DecisionContract: {
        "threshold": 0.5,
        "threshold_on": "calibrated",
        "calibration": {"method": "logistic", "prevalence": 0.7, "slope": 1.2, "intercept": -0.3},
    },
    MetricsContract: {"val": SPLIT, "test": SPLIT},
    RangeContract: fit_range(NOISE, NOISE),
    RunRecordContract: {
        "versions": {"pneumonia_model": "V"},
        "model": {"manifest_sha256": "", "model": {"name": "residual_cnn"}, "training": {"epochs": 3}},
    },
}
WRONG = [
    (DecisionContract, "threshold", 7),
    (DecisionContract, "threshold", "0.5"),
    (DecisionContract, "threshold", None),
    (DecisionContract, "threshold", [0.5]),
    (DecisionContract, "calibration", None),
    (DecisionContract, "calibration.slope", "1"),
    (DecisionContract, "calibration.prevalence", -1),
    (DecisionContract, "calibration.method", 3),
    (DecisionContract, "calibration", {"method": "isotonic", "prevalence": 0.5, "x": [0, 1], "y": [0]}),
    (DecisionContract, "calibration", {"method": "logistic", "prevalence": 0.5}),
    (MetricsContract, "test", None),
    (MetricsContract, "test.auc", 0.9),
    (MetricsContract, "test.auc.value", "0.9"),
    (MetricsContract, "val.n", 3.5),
    (MetricsContract, "val.confusion.tp", "5"),
    (RangeContract, "bound", 0),
    (RangeContract, "bound", "1.2"),
    (RangeContract, "parts.grey", None),
    (RangeContract, "parts.grey.mean", "AAAA"),
    (RangeContract, "parts.grey.mean", "?"),
    (RangeContract, "parts.features.components", RIGHT[RangeContract]["parts"]["grey"]["components"]),
    (RangeContract, "parts.features.unit", -1.0),
    (RunRecordContract, "versions", ["V"]),
    (RunRecordContract, "model.training.epochs", "3"),
]


@pytest.mark.parametrize("contract", RIGHT)
def test_what_is_as_it_should_be_is_kept_as_it_is(contract):
    assert contract().validate(RIGHT[contract]) == RIGHT[contract]


@pytest.mark.parametrize(("contract", "place", "value"), WRONG)
def test_a_wrong_entry_is_named_with_what_to_do(contract, place, value):
    record = json.loads(json.dumps(RIGHT[contract], default=lambda number: number.tolist()))
    *above, last = place.split(".")
    reduce(dict.__getitem__, above, record)[last] = value

    where = place if contract is not RangeContract else ".".join(place.split(".")[:2])
    with pytest.raises(UserError, match=rf"^The record \w+ is not what this release writes \(.*{where}.*kedro run"):
        contract().validate(record)


@pytest.mark.parametrize("contract", RIGHT)
@pytest.mark.parametrize("content", [[], {}, 1, None, "text"])
def test_what_is_no_such_record_at_all_is_refused(contract, content):
    with pytest.raises(UserError, match="is not what this release writes"):
        contract().validate(content)


SUBGROUPS = pd.DataFrame(
    {
        "split": ["val"],
        "subgroup": ["all"],
        "metric": ["sensitivity"],
        "value": [0.5],
        "low": [np.nan],
        "high": [np.nan],
    }
).assign(n=3, n_groups=2)


def test_subgroups_may_have_gaps_and_no_other_columns_or_kinds():
    pd.testing.assert_frame_equal(SubgroupsContract().validate(SUBGROUPS), SUBGROUPS)
    for wrong, said in (
        (SUBGROUPS.drop(columns="value"), "value: missing"),
        (SUBGROUPS.assign(n="3"), "n: not all num"),
    ):
        with pytest.raises(UserError, match=said):
            SubgroupsContract().validate(wrong)
