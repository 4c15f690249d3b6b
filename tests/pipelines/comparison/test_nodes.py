import numpy as np
import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.metrics.intervals import estimate_auc
from pneumonia.pipelines.comparison.nodes import compare_runs, describe_differences, draw_comparison
from pneumonia.report.comparison import say_comparison, write_comparison_report

OLD, NEW, ALIKE = "2026-01-01T00.00.00.000Z", "2026-01-03T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


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


def run_of(predictions, model, name="residual_cnn", **training):
    lineage = {
        "weights_sha256": f"weights of {model}",
        "manifest_sha256": "0" * 64,
        "commit": "0123456789abcdef",
        "model": {"name": name},
        "training": training,
    }
    record = {
        "run_id": "any",
        "commit": "of the judging",
        "versions": {"pneumonia_model": model},
        "parameters": {"training": {"epochs": 99, "seed": 99}},
        "data": {"test_sha256": "of the test images"},
        "model": lineage,
    }
    return predictions, make_metrics(predictions), record


@pytest.fixture(scope="module")
def runs():
    return {
        OLD: run_of(make_predictions(0), OLD, epochs=26, seed=0),
        ALIKE: run_of(make_predictions(0), ALIKE, epochs=26, seed=1),
        NEW: run_of(make_predictions(1.5), NEW, epochs=3, seed=0),
    }


def compare(runs):
    parts = ({version: lambda part=run[i]: part for version, run in runs.items()} for i in (1, 2, 0))
    return compare_runs(*parts)


def test_runs_are_listed_newest_first_and_ranked_on_validation(runs):
    table = compare(runs)
    assert table["version"].tolist() == [NEW, ALIKE, OLD]
    assert table["rank"].tolist() == [3, 1, 1]
    assert table["val_auc"].is_monotonic_increasing


def test_the_rank_does_not_change_with_test(runs):
    turned = {
        version: (p, {**m, "test": {**m["test"], "auc": {"value": position / 10, "low": None, "high": None}}}, r)
        for position, (version, (p, m, r)) in enumerate(runs.items())
    }
    assert compare(turned)["rank"].tolist() == [3, 1, 1]


def test_a_run_is_told_from_the_best_by_a_paired_interval(runs):
    by_version = compare(runs).set_index("version")
    worse = by_version.loc[NEW]
    assert worse["behind_low"] < worse["behind_best"] < worse["behind_high"] < 0
    # Paired on the same images, the interval is narrower than the two intervals together.
    unpaired = np.hypot(*(by_version.loc[v, "val_auc_high"] - by_version.loc[v, "val_auc_low"] for v in (NEW, OLD)))
    assert worse["behind_high"] - worse["behind_low"] < unpaired
    assert by_version.loc[OLD, ["behind_best", "behind_low", "behind_high"]].tolist() == [0, 0, 0]


def test_runs_on_other_validation_images_are_not_set_against_each_other(runs):
    other = {**runs, NEW: run_of(make_predictions(1.5, prefix="other"), NEW, epochs=3, seed=0)}
    table = compare(other).set_index("version")
    assert table.loc[[NEW, ALIKE, OLD], "val_images"].tolist() == [1, 2, 2]
    assert table.loc[[NEW, ALIKE, OLD], "rank"].tolist() == [1, 1, 1]
    assert table["behind_best"].tolist() == [0, 0, 0]


def test_runs_of_other_environments_are_listed_by_time_with_where_they_are_from(runs):
    table = compare({f"notes/{version}" if version == ALIKE else version: run for version, run in runs.items()})
    assert table["version"].tolist() == [NEW, ALIKE, OLD]
    assert table["environment"].tolist() == ["this one", "notes", "this one"]


def test_the_page_and_the_log_say_which_models_were_judged_on_which_images(runs):
    other = {**runs, NEW: run_of(make_predictions(1.5, prefix="other"), NEW, epochs=3, seed=0)}
    table = compare(other)
    context = {"run_id": "R", "environment": "base", "versions": {}, "command": "c"}
    page = write_comparison_report(table, b"png", context)
    assert "Not all models were judged on the same images." in page
    assert page.count(f"<td>{OLD}</td>") == 2
    first, *_, last = say_comparison(table)
    assert first.startswith(f"residual_cnn {NEW} (environment: this one): validation AUC ")
    assert last.endswith("on test set 2.")


def test_runs_grouped_in_another_way_are_ranked_without_an_interval_between_them(runs):
    predictions, metrics, record = runs[NEW]
    regrouped = predictions.assign(group=predictions["path"] + "!"), metrics, record
    worse = compare({**runs, NEW: regrouped}).set_index("version").loc[NEW]
    assert worse["rank"] == 3
    assert worse[["behind_best", "behind_low", "behind_high"]].isna().all()


def test_what_differs_between_the_runs_is_named(runs):
    differs = compare(runs).set_index("version")["differs"]
    assert differs[NEW] == "training.epochs=3; training.seed=0"
    assert differs[ALIKE] == "training.epochs=26; training.seed=1"


def test_an_entry_that_only_one_record_has_is_a_difference():
    made = {"a": {"size": 3, "seed": 0}, "b": {"seed": 0}}
    lineages = {name: {"commit": "1", "inputs": inputs} for name, inputs in made.items()}
    lineages["a"]["adaptation"] = {"images": [{"path": "x.png"}]}
    assert describe_differences(lineages) == {"a": "inputs.size=3", "b": "inputs.size=absent"}


def test_a_group_that_a_model_lacks_is_one_entry():
    adaptation = {"place": "B", "parameters": {"seed": 0}}
    lineages = {"a": {"seed": 1, "adaptation": adaptation}, "b": {"seed": 1, "adaptation_note": "x"}}
    assert describe_differences(lineages) == {
        "a": 'adaptation.parameters.seed=0; adaptation.place="B"; adaptation_note=absent',
        "b": 'adaptation=absent; adaptation_note="x"',
    }


def test_a_run_without_predictions_is_left_out_and_said_so(runs, caplog):
    metrics, records, predictions = (
        {version: lambda part=run[i]: part for version, run in runs.items()} for i in (1, 2, 0)
    )
    del predictions[NEW]
    table = compare_runs(metrics, records, predictions)
    assert table["version"].tolist() == [ALIKE, OLD]
    assert f"Run {NEW} is left out" in caplog.text


def test_a_record_whose_run_was_pruned_gives_no_warning(runs, caplog):
    metrics, records, predictions = (
        {version: lambda part=run[i]: part for version, run in runs.items()} for i in (1, 2, 0)
    )
    del metrics[OLD], predictions[OLD]
    assert OLD not in compare_runs(metrics, records, predictions)["version"].tolist()
    assert OLD not in caplog.text


def test_no_complete_run_is_an_error():
    with pytest.raises(UserError, match="No run of this environment is complete"):
        compare_runs({}, {}, {})


def test_the_figure_has_a_row_for_each_model(runs):
    labels = [label.get_text() for label in draw_comparison(compare(runs)).axes[0].get_yticklabels()]
    assert labels == [
        "#3  residual_cnn\n2026-01-03T00.00, validation set 1",
        "#1  residual_cnn\n2026-01-02T00.00, validation set 1",
        "#1  residual_cnn\n2026-01-01T00.00, validation set 1",
    ]


AGAIN = "2026-01-04T00.00.00.000Z"


def test_a_model_that_is_judged_again_has_one_row_with_what_its_own_lineage_says(runs):
    of_old = run_of(make_predictions(0), OLD, name="separable_cnn", epochs=26, seed=0)
    table = compare({**runs, OLD: of_old, AGAIN: of_old})
    assert table["version"].tolist() == [AGAIN, NEW, ALIKE]
    judged = table.set_index("version").loc[AGAIN]
    assert judged[["model", "network", "epochs", "commit", "judgings"]].tolist() == [
        OLD,
        "separable_cnn",
        26,
        "0123456789ab",
        2,
    ]
    assert table["judgings"].tolist() == [2, 1, 1]


def test_an_adapted_model_is_called_that_beside_the_epochs_of_its_adaptation(runs):
    predictions, metrics, record = runs[OLD]
    adapted = {**record, "model": {**record["model"], "adaptation": {"place": "north"}}}
    table = compare({OLD: (predictions, metrics, adapted)})
    assert table["network"].tolist() == ["residual_cnn, adapted to north"]


def test_a_model_on_other_test_images_has_a_row_of_its_own(runs):
    predictions, metrics, record = runs[OLD]
    elsewhere = predictions, metrics, {**record, "data": {"test_sha256": "of other images"}}
    assert len(compare({**runs, AGAIN: elsewhere})) == 4
