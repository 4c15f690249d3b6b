"""The layouts of the records of decisions: what a catalog entry refuses."""

import math
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from pneumonia.base.contract import RecordContract
from pneumonia.metrics.calibration import Method
from pneumonia.metrics.decisions import Decision, on_one_scale


class _Calibration(BaseModel):
    method: Method
    prevalence: float = Field(ge=0, le=1)
    slope: float = 0.0
    intercept: float = 0.0
    x: list[float] = []
    y: list[float] = []


class _Decision(BaseModel):
    threshold: float = Field(ge=0, le=math.nextafter(1, 2))  # at this end, no image is positive
    calibration: _Calibration


class _Fitted(BaseModel):
    n: int = Field(ge=1)


class _FittedAtPlace(_Fitted):
    n_groups: int = Field(ge=1)
    n_positive: int = Field(ge=0)


class _Rate(BaseModel):
    value: float | None = Field(ge=0, le=1)
    low: float | None = Field(ge=0, le=1)
    high: float | None = Field(ge=0, le=1)


class _Chosen(_Decision):
    weights_sha256: str
    rule: str
    rule_value: float | None
    fitted_on: _Fitted


class _Point(_Chosen):
    place: str
    fitted_on: _FittedAtPlace
    sensitivity: _Rate
    specificity: _Rate


class DecisionContract(RecordContract):
    """Refuses a decision of another layout; brings one of an earlier release onto one scale: `on_one_scale`.

    Example:
    ```yaml
    decision:
      type: pneumonia.datasets.RecordDataset
      filepath: data/07_model_output/decision.json
      validator: pneumonia.metrics.decision_contracts.DecisionContract
    ```
    """

    name: ClassVar[str] = "record decision"
    layout: ClassVar[Any] = _Decision
    needs: ClassVar[dict[str, tuple[str, ...]]] = {"logistic": ("slope", "intercept"), "isotonic": ("x", "y")}

    def validate(self, data: Any) -> Decision:
        """Return the decision of `on_one_scale`.

        Raises:
            UserError: Naming the entries that are missing or wrong.
        """
        calibration = super().validate(data)["calibration"]
        names = self.needs.get(calibration["method"], ())
        missing = [f"calibration.{name}: missing" for name in names if name not in calibration]
        if not missing and "x" in names and not 0 < len(calibration["x"]) == len(calibration["y"]):
            missing = ["calibration.x: not as long as calibration.y"]
        if missing:
            raise self.refusal(missing)
        return on_one_scale(data)


class PointContract(DecisionContract):
    """Refuses a place's operating point of another layout, as a decision."""

    name: ClassVar[str] = "operating point"
    layout = _Point
    remedy: ClassVar[str] = "or fit it again: kedro run --pipelines=external or --pipelines=adaptation"


class FittedPointContract(PointContract):
    """The same for the point that a run fitted; an external test without `external.recalibrate` fits none.

    Example:
    ```yaml
    adaptation_point:
      type: pneumonia.datasets.RecordDataset
      filepath: data/07_model_output/adaptation_point.json
      validator: pneumonia.metrics.decision_contracts.FittedPointContract
    ```
    """

    def validate(self, data: Any) -> Any:
        """Return the point of `on_one_scale`, or what is empty.

        Raises:
            UserError: Naming the entries that are missing or wrong.
        """
        return data if data == {} else super().validate(data)


class ChosenContract(DecisionContract):
    """Refuses the decision that a run chose, the model's own or that of a place, if it is of another layout.

    Example:
    ```yaml
    chosen_decision:
      type: pneumonia.datasets.RecordDataset
      filepath: data/07_model_output/chosen_decision.json
      validator: pneumonia.metrics.decision_contracts.ChosenContract
    ```
    """

    name: ClassVar[str] = "record chosen_decision"
    layout = _Chosen
    remedy: ClassVar[str] = "or run the whole pipeline, prediction or export, which makes it again"

    def validate(self, data: Any) -> Decision:
        """Return the decision of `on_one_scale`.

        Raises:
            UserError: Naming the entries that are missing or wrong.
        """
        of_place = isinstance(data, dict) and "place" in data
        return _ChosenPointContract().validate(data) if of_place else super().validate(data)


class _ChosenPointContract(DecisionContract):
    name = ChosenContract.name
    layout = _Point
    remedy = ChosenContract.remedy
