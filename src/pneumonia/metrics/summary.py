"""The metrics of validation and test with their intervals, as a record and as a table."""

from typing import ClassVar, Literal, NotRequired, TypedDict, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, Field

from pneumonia.base.annotations import Floats
from pneumonia.base.contract import RecordContract, TableContract
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.metrics.bounds import TAIL
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.intervals import estimate_metrics
from pneumonia.metrics.logistic import mean_shift, recalibration_slope
from pneumonia.metrics.metrics import RATE_METRICS, confusion_cells, confusion_rates
from pneumonia.metrics.registry import METRICS, Estimate, Targets

MEASURED_SPLITS = ("val", "test")
MainMetric = Literal["auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "npv", "f1"]


class Confusion(TypedDict):
    """Images by class and decision."""

    tn: int
    fp: int
    fn: int
    tp: int


class CalibrationEstimates(TypedDict):
    """How far the probabilities are from what was seen."""

    calibration_slope: Estimate
    calibration_in_the_large: Estimate


class SplitMetrics(CalibrationEstimates):
    """The metrics of some images, all of `METRICS` (those are named that code reads), and what they are made from."""

    auc: Estimate
    average_precision: Estimate
    accuracy: Estimate
    balanced_accuracy: Estimate
    precision: Estimate
    sensitivity: Estimate
    specificity: Estimate
    npv: Estimate
    f1: Estimate
    observed_expected: Estimate
    calibration_joint: NotRequired[CalibrationEstimates]  # missing from records of earlier releases
    n: int
    n_groups: int
    n_positive: int
    tied_pairs: NotRequired[float]  # missing from records of earlier releases
    threshold: float | None
    confusion: Confusion


Metrics = dict[str, SplitMetrics]  # of "val" and "test"


def compute_metrics(predictions: pd.DataFrame, decision: Decision, parameters: EvaluationParameters) -> Metrics:
    """Compute each metric of validation and test with its 95% interval.

    Args:
        predictions: One row per image of validation and test.
        decision: The record of `make_decision`.
        parameters: `prevalence`, `resamples`, `seed`.

    Returns:
        For "val" and "test": each metric as `{"value", "low", "high"}`, `calibration_joint`, `n`, `n_groups`,
        `n_positive`, `tied_pairs` (of `count_ties`), `threshold`, `confusion`; `at_half` (the rates at a threshold of
        0.5), `prevalence`, and `optimistic` (True where model or decision saw the images).

    Raises:
        UserError: If a split lacks a class.
    """
    return {split: split_metrics(predictions, split, decision["threshold"], parameters) for split in MEASURED_SPLITS}


def split_metrics(
    predictions: pd.DataFrame, split: str, threshold: float | None, parameters: EvaluationParameters
) -> SplitMetrics:
    """Compute each metric of one split, as `compute_metrics` describes it; `threshold` is None where it varies."""
    columns = columns_of(predictions, split)
    target, probability = columns["target"], columns["probability"]
    at_half = confusion_cells(target, (probability >= 0.5).astype(np.int64))[0]
    found = {
        **estimate(columns, parameters),
        "calibration_joint": _calibration_joint(target, probability, columns["group"]),
        "n": len(target),
        "n_groups": len(np.unique(columns["group"])),
        "n_positive": int(target.sum()),
        "tied_pairs": count_ties(target, probability),
        "threshold": threshold,
        "confusion": _confusion(confusion_cells(target, columns["decision"])[0]),
        "at_half": {**_rates(at_half, parameters.prevalence), "confusion": _confusion(at_half)},
        "prevalence": parameters.prevalence,
        "optimistic": split == "val",
    }
    return cast(SplitMetrics, found)


def columns_of(predictions: pd.DataFrame, split: str) -> dict[str, npt.NDArray]:
    """Return what metrics are computed from, for one split.

    Raises:
        UserError: If the split lacks a class.
    """
    rows = predictions[predictions["split"] == split]
    if rows["target"].nunique() < 2:
        raise UserError(f"All {split} images are of one class, so sensitivity or specificity cannot be measured.")
    names = ("target", "decision", "probability", "group")
    return {name: rows[name].to_numpy() for name in names}


def estimate(columns: dict[str, npt.NDArray], parameters: EvaluationParameters) -> dict[str, Estimate]:
    """Estimate every metric with the parameters' prevalence, resamples and seed."""
    return estimate_metrics(columns, parameters.prevalence, parameters.resamples, parameters.seed)


def count_ties(target: Targets, probability: Floats) -> float:
    """Return the share of the pairs of a positive and a negative image that have the same probability."""
    _, places = np.unique(probability, return_inverse=True)
    negatives, positives = (np.bincount(places[target == one], minlength=places.max() + 1) for one in (0, 1))
    return float((negatives * positives).sum() / (negatives.sum() * positives.sum()))


def _calibration_joint(target: Targets, probability: Floats, groups: npt.NDArray) -> CalibrationEstimates:
    """Estimate calibration slope and shift with intervals that hold together in 95 of 100 samples (Bonferroni)."""
    return {
        "calibration_slope": recalibration_slope(target, probability, groups, TAIL / 2),
        "calibration_in_the_large": mean_shift(target, probability, groups, TAIL / 2),
    }


def _confusion(cells: npt.NDArray) -> Confusion:
    tn, fp, fn, tp = (int(count) for count in cells)
    return {"tn": tn, "fp": fp, "fn": fn, "tp": tp}


def _rates(cells: npt.NDArray, prevalence: float) -> dict[str, float | None]:
    rates = {name: float(value) for name, value in confusion_rates(cells, prevalence).items()}
    return {name: rates[name] if np.isfinite(rates[name]) else None for name in RATE_METRICS}


def tabulate_metrics(metrics: Metrics) -> pd.DataFrame:
    """Put the metrics in a table: split, metric, value, low, high, n, n_groups; text, a gap where undefined."""
    rows = [
        {"split": split, "metric": name, **cast(dict, record)[name], "n": record["n"], "n_groups": record["n_groups"]}
        for split, record in metrics.items()
        for name in METRICS
    ]
    return pd.DataFrame(rows)


class _Estimate(BaseModel):
    value: float | None
    low: float | None
    high: float | None


class _Cells(BaseModel):
    tn: int = Field(ge=0)
    fp: int = Field(ge=0)
    fn: int = Field(ge=0)
    tp: int = Field(ge=0)


class _Split(BaseModel):
    auc: _Estimate
    accuracy: _Estimate
    sensitivity: _Estimate
    specificity: _Estimate
    n: int = Field(gt=0)
    n_groups: int = Field(gt=0)
    n_positive: int = Field(ge=0)
    threshold: float
    confusion: _Cells


class _Metrics(BaseModel):
    val: _Split
    test: _Split


class MetricsContract(RecordContract):
    """Refuses metrics of another layout.

    Example:
    ```yaml
    metrics:
      type: pneumonia.datasets.RecordDataset
      filepath: data/08_reporting/metrics.json
      validator: pneumonia.metrics.summary.MetricsContract
    ```
    """

    name: ClassVar[str] = "record metrics"
    layout = _Metrics


class SubgroupsContract(TableContract):
    """Refuses subgroups of another layout.

    Example:
    ```yaml
    subgroups:
      type: pneumonia.datasets.TableDataset
      filepath: data/08_reporting/subgroups.csv
      validator: pneumonia.metrics.summary.SubgroupsContract
    ```
    """

    name: ClassVar[str] = "table subgroups"
    text = ("split", "subgroup", "metric")
    numbers = ("value", "low", "high", "n", "n_groups")
