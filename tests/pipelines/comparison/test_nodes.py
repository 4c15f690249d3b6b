import numpy as np
import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.intervals import estimate_auc
from pneumonia.pipelines.comparison.figures import draw_comparison
from pneumonia.pipelines.comparison.nodes import compare_runs, describe_differences

OLD, NEW, ALIKE = "2026-01-01T00.00.00.000Z", "2026-01-03T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


@pytest.fixture(scope="module")
def parameters(default_parameters):
    return EvaluationParameters(**{**default_parameters["evaluation"], "resamples": 300})


def make_predictions(noise, prefix="person"):
    rng = np.random.default_rng(0)
    target = np.tile([0, 1], 200)
    scores = target + rng.normal(size=400) + noise * np.random.default_rng(1).normal(size=400)
    names = [f"{prefix}{index}" for index in range(400)]
    return pd.DataFrame(
        {
            "path": names,
            "group": names,
            "target": target,
            "split": np.repeat(["val", "test"], 200),
            "probability": 1 / (1 + np.exp(-scores)),
        }
    )


def make_metrics(predictions):
    record = {}
    for split, rows in predictions.groupby("split"):
        columns = (rows[name].to_numpy() for name in ("target", "probability", "group"))
        auc = estimate_auc(*columns)
        names = ("auc", "accuracy", "sensitivity", "specificity")
        record[split] = {**dict.fromkeys(names, auc), "n": len(rows), "n_groups": len(rows)}
    return record


def run_of(predictions, **parameters):
    return predictions, make_metrics(predictions), {"run_id": "any", "parameters": {"training": parameters}}


@pytest.fixture(scope="module")
def runs():
    return {
        OLD: run_of(make_predictions(0), epochs=26, seed=0),
        ALIKE: run_of(make_predictions(0), epochs=26, seed=1),
        NEW: run_of(make_predictions(1.5), epochs=3, seed=0),
    }


def compare(runs, parameters):
    parts = ({version: lambda part=run[i]: part for version, run in runs.items()} for i in (1, 2, 0))
    return compare_runs(*parts, parameters)


def test_runs_are_listed_newest_first_and_ranked_on_validation(runs, parameters):
    table = compare(runs, parameters)
    assert table["version"].tolist() == [NEW, ALIKE, OLD]
    assert table["rank"].tolist() == [3, 1, 1]
    assert table["val_auc"].is_monotonic_increasing


def test_the_rank_does_not_change_with_test(runs, parameters):
    turned = {
        version: (p, {**m, "test": {**m["test"], "auc": {"value": position / 10, "low": None, "high": None}}}, r)
        for position, (version, (p, m, r)) in enumerate(runs.items())
    }
    assert compare(turned, parameters)["rank"].tolist() == [3, 1, 1]


def test_a_run_is_told_from_the_best_by_a_paired_interval(runs, parameters):
    by_version = compare(runs, parameters).set_index("version")
    worse = by_version.loc[NEW]
    assert worse["behind_low"] < worse["behind_best"] < worse["behind_high"] < 0
    # Paired on the same images it is narrower than the two intervals together.
    unpaired = np.hypot(*(by_version.loc[v, "val_auc_high"] - by_version.loc[v, "val_auc_low"] for v in (NEW, OLD)))
    assert worse["behind_high"] - worse["behind_low"] < unpaired
    assert by_version.loc[OLD, ["behind_best", "behind_low", "behind_high"]].tolist() == [0, 0, 0]


def test_runs_on_other_validation_images_are_not_set_against_each_other(runs, parameters):
    other = {**runs, NEW: run_of(make_predictions(1.5, prefix="other"), epochs=3, seed=0)}
    worse = compare(other, parameters).set_index("version").loc[NEW]
    assert worse[["behind_best", "behind_low", "behind_high"]].isna().all()


def test_what_differs_between_the_runs_is_named(runs, parameters):
    differs = compare(runs, parameters).set_index("version")["differs"]
    assert differs[NEW] == "parameters.training.epochs=3; parameters.training.seed=0"
    assert differs[ALIKE] == "parameters.training.epochs=26; parameters.training.seed=1"


def test_an_entry_that_only_one_record_has_is_a_difference():
    records = {"a": {"commit": "1", "packages": {"keras": "3"}}, "b": {"commit": "1", "packages": {}}}
    assert describe_differences(records) == {"a": 'packages.keras="3"', "b": "packages.keras=absent"}


def test_a_run_without_predictions_is_left_out_and_said_so(runs, parameters, caplog):
    metrics, records, predictions = (
        {version: lambda part=run[i]: part for version, run in runs.items()} for i in (1, 2, 0)
    )
    del predictions[NEW]
    table = compare_runs(metrics, records, predictions, parameters)
    assert table["version"].tolist() == [ALIKE, OLD]
    assert f"Run {NEW} is left out" in caplog.text


def test_no_complete_run_is_an_error(parameters):
    with pytest.raises(UserError, match="No run of this environment is complete"):
        compare_runs({}, {}, {}, parameters)


def test_the_figure_has_a_row_for_each_run(runs, parameters):
    labels = [label.get_text() for label in draw_comparison(compare(runs, parameters)).axes[0].get_yticklabels()]
    assert labels == ["2026-01-03T00.00  #3", "2026-01-02T00.00  #1", "2026-01-01T00.00  #1"]
