"""What the readers of the evaluation's figures may rely on."""

from typing import ClassVar

from pydantic import BaseModel, Field

from pneumonia.base.contract import RecordContract, TableContract


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
      validator: pneumonia.metrics.contract.MetricsContract
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
      validator: pneumonia.metrics.contract.SubgroupsContract
    ```
    """

    name: ClassVar[str] = "table subgroups"
    text = ("split", "subgroup", "metric")
    numbers = ("value", "low", "high", "n", "n_groups")
