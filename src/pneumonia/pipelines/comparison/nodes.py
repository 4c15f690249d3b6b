"""Nodes of the comparison pipeline: all versions of the metrics, and what their runs did differently."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.bounds import difference_interval
from pneumonia.metrics.metrics import ranking_metrics
from pneumonia.metrics.resampling import bootstrap

logger = logging.getLogger(__name__)

Records = dict[str, Callable[[], dict[str, Any]]]
Tables = dict[str, Callable[[], pd.DataFrame]]
SHOWN = {"val": ("auc",), "test": ("auc", "accuracy", "sensitivity", "specificity")}
# Parts of a run's record that differ between any two runs, or say no more than others do.
LEFT_OUT = ("run_id", "command", "versions", "model", "data.images_sha256", "seeds", "parameters.images")


def compare_runs(
    all_metrics: Records, all_run_records: Records, all_predictions: Tables, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Put all runs of the environment in one table, the newest first, ranked by their AUC on validation.

    Test figures are shown, and no rank is made from them: choosing a run by them would make them optimistic.

    Args:
        all_metrics: Loads the metrics of each version.
        all_run_records: Loads the record of each version.
        all_predictions: Loads the predictions of each version.
        parameters: `resamples`, `seed`.

    Returns:
        version, rank, the metrics of `SHOWN` with intervals, n and groups of both splits, `behind_best` (AUC on
        validation less the best run's), `behind_low` and `behind_high` (paired 95% interval over groups; a gap
        where the two have other validation images), and `differs`: what this run was made with, as far as
        runs differ.

    Raises:
        UserError: If no run is complete.
    """
    versions = sorted(set(all_metrics) & set(all_run_records) & set(all_predictions), reverse=True)
    for version in sorted((set(all_metrics) | set(all_run_records)) - set(versions)):
        logger.warning("Run %s is left out: its metrics, record or predictions are missing.", version)
    if not versions:
        raise UserError("No run of this environment is complete. Make one by: kedro run --pipeline=evaluation.")
    metrics = {version: all_metrics[version]() for version in versions}
    table = pd.DataFrame([{"version": version, **_flat_metrics(metrics[version])} for version in versions])
    table.insert(1, "rank", table["val_auc"].rank(ascending=False, method="min").astype(int))
    best = table.loc[table["rank"] == 1, "version"].iloc[0]
    best_predictions = all_predictions[best]()
    behind = [_behind(all_predictions[version](), best_predictions, parameters) for version in versions]
    differs = describe_differences({version: all_run_records[version]() for version in versions})
    return pd.concat([table, pd.DataFrame(behind)], axis=1).assign(differs=[differs[v] for v in versions])


def _flat_metrics(metrics: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for split, names in SHOWN.items():
        for name in names:
            estimate = metrics[split][name]
            row |= {
                f"{split}_{name}": estimate["value"],
                f"{split}_{name}_low": estimate["low"],
                f"{split}_{name}_high": estimate["high"],
            }
        row |= {f"{split}_n": metrics[split]["n"], f"{split}_groups": metrics[split]["n_groups"]}
    return row


def _behind(run: pd.DataFrame, best: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, float | None]:
    """Return the difference of two runs' AUC on validation, with a paired interval if the images are the same."""
    run, best = (table[table["split"] == "val"].set_index("path").sort_index() for table in (run, best))
    names = ("behind_best", "behind_low", "behind_high")
    if not run[["group", "target"]].equals(best[["group", "target"]]):
        return dict.fromkeys(names)
    target, pair = run["target"].to_numpy(), (run["probability"].to_numpy(), best["probability"].to_numpy())

    def difference(weights: Any = None) -> dict[str, Any]:
        mine, other = (ranking_metrics(target, probability, weights)["auc"] for probability in pair)
        return {"difference": mine - other}

    value = float(difference()["difference"][0])
    replicates = bootstrap(difference, run["group"].to_numpy(), parameters.resamples, parameters.seed)
    return dict(zip(names, (value, *difference_interval(value, replicates["difference"])), strict=True))


def describe_differences(run_records: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Say of each run what it was made with, for those entries of the records that are not the same in all.

    Args:
        run_records: Record of each version.

    Returns:
        By version, entries as `parameters.training.seed=7`, parted by `; `; empty where all runs are alike.
    """
    flat = {version: _flatten(record) for version, record in run_records.items()}
    names = sorted({name for entries in flat.values() for name in entries})
    differing = [name for name in names if len({entries.get(name, "absent") for entries in flat.values()}) > 1]
    return {
        version: "; ".join(f"{name}={entries.get(name, 'absent')}" for name in differing)
        for version, entries in flat.items()
    }


def _flatten(record: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the leaves of a record by dotted name, as JSON."""
    leaves: dict[str, str] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if name in LEFT_OUT:
            continue
        leaves |= _flatten(value, f"{name}.") if isinstance(value, dict) else {name: json.dumps(value)}
    return leaves
