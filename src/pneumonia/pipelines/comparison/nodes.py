"""Nodes of the comparison pipeline: all evaluated models, how they were made, and the figure of both."""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.base.errors import UserError
from pneumonia.metrics.auc import auc_difference
from pneumonia.metrics.bounds import UNDEFINED
from pneumonia.metrics.registry import in_columns
from pneumonia.metrics.summary import MainMetric, Metrics
from pneumonia.model.checkpoint import flattened
from pneumonia.model.lineage import Lineage
from pneumonia.report.record import RunRecord
from pneumonia.report.style import SPLIT_COLOURS, draw_interval, new_figure, row_axes

logger = logging.getLogger(__name__)

SHOWN: dict[str, tuple[MainMetric, ...]] = {"val": ("auc",), "test": ("auc", "accuracy", "sensitivity", "specificity")}
# Parts of a model's lineage that follow from other parts, name the run, or are long.
LEFT_OUT = (
    "adaptation.images", "compilation", "manifest_sha256", "weights_sha256", "run_id", "versions", "positive_class",
    "class_names",
)  # fmt: skip
UNKNOWN = "unknown"
HERE = "this one"


def compare_runs(
    all_metrics: dict[str, Callable[[], Metrics]],
    all_run_records: dict[str, Callable[[], RunRecord]],
    all_predictions: dict[str, Callable[[], pd.DataFrame]],
) -> pd.DataFrame:
    """Put all evaluated models in one table, the newest evaluation first, ranked by their AUC on validation.

    A model that was evaluated several times on the same test images has one row, that of its newest evaluation. The
    description of a model comes from its own lineage, not from the run that evaluated it. Test figures are shown but
    not ranked: choosing a model by them would make them optimistic.

    Args:
        all_metrics: Loads the metrics of each version; those of another environment have its name before them, with /.
        all_run_records: Loads the record of each version.
        all_predictions: Loads the predictions of each version.

    Returns:
        version (of the evaluation), environment (`HERE`, or the folder of its root), `val_images` and `test_images` (1
        for those of the newest evaluation, 2 for the next other ones and so on), rank (among models with the same
        validation images), model (its version), network, epochs (at most), commit (of the training), judgings (how
        many), the metrics of `SHOWN` with intervals, n and groups of both splits, `behind_best` (AUC on validation
        minus that of the best model with the same validation images), `behind_low` and `behind_high` (paired 95%
        interval over groups; a gap if they are grouped differently), and `differs`: how the model was made, as far as
        models differ.

    Raises:
        UserError: If no run is complete.
    """
    together = set(all_metrics) & set(all_run_records) & set(all_predictions)
    complete = sorted(together, key=lambda name: _place_of(name)[::-1], reverse=True)
    for version in sorted((set(all_metrics) | set(all_predictions)) - set(complete)):
        logger.warning("Run %s is left out: its metrics, record or predictions are missing.", version)
    if not complete:
        raise UserError("No run of this environment is complete. Make one with: kedro run --pipelines=evaluation.")
    records = {version: all_run_records[version]() for version in complete}
    judgings = count_judgings(records)
    described = {version: {**describe_model(records[version]), "judgings": n} for version, n in judgings.items()}
    scored = {version: all_predictions[version]() for version in judgings}
    images = pd.DataFrame({f"{split}_images": number_images(scored, split) for split in SHOWN})
    places = pd.DataFrame([_place_of(version) for version in judgings], columns=["environment", "version"])
    rows = pd.DataFrame([{**described[v], **_flat_metrics(all_metrics[v]())} for v in judgings])
    ranked = rows.groupby(images["val_images"])["val_auc"].rank(ascending=False, method="min").astype(int)
    leaders = ranked.index[ranked == 1][::-1]  # the newest of several comes last, and counts
    best = dict(zip(images.loc[leaders, "val_images"], leaders, strict=True))
    runs = list(scored.values())
    behind = [_behind(run, runs[best[number]]) for run, number in zip(runs, images["val_images"], strict=True)]
    differs = describe_differences({version: records[version]["model"] for version in judgings})
    table = pd.concat([places, images, ranked.rename("rank"), rows, pd.DataFrame(behind)], axis=1)
    return table.assign(differs=[differs[v] for v in judgings])


def _place_of(name: str) -> tuple[str, str]:
    """Return environment and version of a run."""
    environment, _, version = name.rpartition("/")
    return environment or HERE, version


def number_images(predictions: Mapping[str, pd.DataFrame], split: str) -> list[int]:
    """Number the images of a split: 1, and another number for each run that was judged on other images.

    Args:
        predictions: Of each run, the newest first.
        split: val or test.
    """
    numbers: dict[tuple[tuple[str, int], ...], int] = {}
    found = []
    for table in predictions.values():
        rows = table[table["split"] == split]
        images = tuple(sorted(zip(rows["path"], rows["target"], strict=True)))
        found.append(numbers.setdefault(images, len(numbers) + 1))
    return found


def count_judgings(run_records: dict[str, RunRecord]) -> dict[str, int]:
    """Return the newest evaluation of each model and test set, by version, with the number of evaluations.

    Args:
        run_records: Record of each version, the newest first.
    """
    newest: dict[tuple[str, str], str] = {}
    counts: Counter[str] = Counter()
    for version, record in run_records.items():
        counts[newest.setdefault((_model_of(record), _test_of(record)), version)] += 1
    return dict(counts)


def _model_of(record: RunRecord) -> str:
    """Return what a model is known by: the digest of its weights, or its version."""
    return str(record["model"].get("weights_sha256") or record["versions"]["pneumonia_model"])


def _test_of(record: RunRecord) -> str:
    """Return what a test set is known by: the digest of its images, or of the manifest."""
    return str(record.get("data", {}).get("test_sha256") or record["model"]["manifest_sha256"])


def describe_model(record: RunRecord) -> dict[str, Any]:
    """Return version, network, epochs and commit of the model that a run evaluated, from the model's own lineage.

    Of an adapted model, they are those of the adaptation.
    """
    lineage = record["model"]
    adaptation = lineage.get("adaptation")
    return {
        "model": record["versions"]["pneumonia_model"],
        "network": lineage["model"]["name"] + (f", adapted to {adaptation['place']}" if adaptation else ""),
        "epochs": lineage["training"]["epochs"],
        "commit": (lineage.get("commit") or UNKNOWN)[:12],
    }


def _flat_metrics(metrics: Metrics) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for split, names in SHOWN.items():
        for name in names:
            row |= in_columns(metrics[split][name], f"{split}_{name}")
        row |= {f"{split}_n": metrics[split]["n"], f"{split}_groups": metrics[split]["n_groups"]}
    return row


def _behind(run: pd.DataFrame, best: pd.DataFrame) -> dict[str, float | None]:
    """Return the difference of two models' AUC on validation, with a paired interval if the images are the same."""
    run, best = (table[table["split"] == "val"].set_index("path").sort_index() for table in (run, best))
    behind = UNDEFINED
    if run[["group", "target"]].equals(best[["group", "target"]]):
        mine, other = (table["probability"].to_numpy() for table in (run, best))
        behind = auc_difference(run["target"].to_numpy(), mine, other, run["group"].to_numpy())
    return in_columns(behind, "behind_best", bounds="behind_")


def describe_differences(lineages: dict[str, Lineage]) -> dict[str, str]:
    """Describe how each model was made, by the entries of the lineages that differ between models.

    Args:
        lineages: Lineage of each model, by version.

    Returns:
        By version, entries like `training.seed=7`, separated by `; `; empty if all models are alike. Of a group that a
        lineage lacks, such as that of an adaptation, one entry.
    """
    flat = {version: _leaves(lineage) for version, lineage in lineages.items()}
    names = sorted({name for entries in flat.values() for name in entries})
    differing = [name for name in names if len({entries.get(name, "absent") for entries in flat.values()}) > 1]
    return {
        version: "; ".join(dict.fromkeys(_entry(name, entries) for name in differing))
        for version, entries in flat.items()
    }


def _entry(name: str, entries: Mapping[str, str]) -> str:
    """Say a leaf's value, or that it is absent: the leaf, or the outermost of its groups that is."""
    if name in entries:
        return f"{name}={entries[name]}"
    groups = (name[: dot.start()] for dot in re.finditer(r"\.|$", name))
    return f"{next(group for group in groups if not any(f'{e}.'.startswith(f'{group}.') for e in entries))}=absent"


def _leaves(lineage: Mapping[str, Any]) -> dict[str, str]:
    """Return the leaves of a lineage by dotted name, as JSON."""
    return {
        name: json.dumps(value)
        for name, value in flattened(dict(lineage)).items()
        if not any(f"{name}.".startswith(f"{left_out}.") for left_out in LEFT_OUT)
    }


def draw_comparison(run_comparison: pd.DataFrame) -> Figure:
    """Draw the AUC of each model on validation and test, the newest evaluation on top; at most 30."""
    shown = run_comparison.head(30)
    figure, axes = new_figure(7.2, 1.6 + 0.42 * len(shown))
    for split, shift in (("val", -0.15), ("test", 0.15)):
        for position, row in enumerate(shown.to_dict("records")):
            value, low, high = (row[f"{split}_auc{end}"] for end in ("", "_low", "_high"))
            draw_interval(axes, position + shift, value, low, high, SPLIT_COLOURS[split])
        axes.plot([], [], "o-", color=SPLIT_COLOURS[split], label={"val": "validation (ranks)"}.get(split, split))
    names = [
        f"#{row.rank}  {row.network}\n{row.model[:16]}, validation set {row.val_images}" for row in shown.itertuples()
    ]
    row_axes(axes, names)
    axes.set_xlabel("AUC, 95% interval")
    axes.set_title("Models, newest evaluation on top")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.6 / (1 + 0.42 * len(shown))), ncols=2)
    return figure
