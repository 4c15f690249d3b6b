"""Where metrics are registered, and what they are computed from."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats

Targets = npt.NDArray[np.int64]
ScoreSource = Literal["decision", "probability"]
Interval = Literal["mover", "odds", "auc", "logit", "squares", "percentile", "own"]
F = TypeVar("F", bound=Callable[..., Any])


class Estimate(TypedDict):
    """A value with the bounds of its 95% interval; None where there is none."""

    value: float | None
    low: float | None
    high: float | None


def value_of(estimate: Estimate) -> float:
    """Return the value of an estimate; NaN where there is none."""
    return math.nan if estimate["value"] is None else estimate["value"]


def in_columns(estimate: Estimate, name: str, bounds: str | None = None) -> dict[str, float | None]:
    """Return an estimate as columns of a table: `name`, `name_low` and `name_high`.

    Args:
        estimate: The estimate.
        name: Of the column of the value.
        bounds: What the names of the other two begin with; `name_` if left out.
    """
    prefix = f"{name}_" if bounds is None else bounds
    return {name: estimate["value"], f"{prefix}low": estimate["low"], f"{prefix}high": estimate["high"]}


def from_columns(row: Mapping[str, Any], name: str) -> Estimate:
    """Return the estimate that `in_columns` put into a row."""
    return {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}


@dataclass(frozen=True)
class Metric:
    """A metric: its title, what it is computed from, how its interval is made, and its function."""

    title: str
    of: ScoreSource
    interval: Interval
    function: Callable[..., Any]


METRICS: dict[str, Metric] = {}  # by name, in the order of the report's table


def metric(name: str, title: str, of: ScoreSource, interval: Interval) -> Callable[[F], F]:
    """Register the function below as a metric.

    Args:
        name: As in records and tables.
        title: As in the report.
        of: "decision": the function takes `Cells`. "probability": it takes target `[n]`, probability `[n]` and weights
            `[b, n]`; for the interval "own" target, probability and groups.
        interval: "mover": from the intervals of sensitivity and specificity, with which the metric rises. "odds": the
            same for one from 0 to infinity. "auc": Obuchowski's and Newcombe's. "squares": that of a
            mean of squares. "logit" and "percentile": by bootstrap. "own": the function returns value and bounds.
    """

    def register(function: F) -> F:
        METRICS[name] = Metric(title, of, interval, function)
        return function

    return register


@dataclass(frozen=True)
class Cells:
    """The confusion matrix of one sample or of many: counts or shares, `[b]` each; and the prevalence that is set."""

    tn: Floats
    fp: Floats
    fn: Floats
    tp: Floats
    prevalence: float

    @property
    def sensitivity(self) -> Floats:
        """Share of the positives that are called positive."""
        return self.tp / (self.tp + self.fn)

    @property
    def specificity(self) -> Floats:
        """Share of the negatives that are called negative."""
        return self.tn / (self.tn + self.fp)
