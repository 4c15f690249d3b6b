"""Typed parameters: one frozen model per group of ``conf/*/parameters*.yml``.

Defaults live in YAML only. A key that is not named here, or a value that is impossible, ends the run before
an image is read.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Share = Annotated[float, Field(gt=0, lt=1)]


class Group(BaseModel):
    """A group of parameters: immutable, and without keys that nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            names = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression ({error})") from error
        if "number" not in names:
            raise ValueError(f"{pattern!r} has no part (?P<number>...)")
    return patterns


Patterns = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_check_patterns)]


class IngestParameters(Group):
    """How images are found, checked, grouped and split."""

    class_names: Annotated[tuple[str, str], Field(strict=False)]
    positive_class: str
    group_patterns: Patterns
    group_by: Literal["etiology_number", "number", "image"]
    val_fraction: Share
    test_fraction: Share
    seed: int
    max_rejected: Annotated[float, Field(ge=0, le=1)]
    min_side: Annotated[int, Field(ge=1)]
    max_pixels: Annotated[int, Field(ge=1)]
    max_file_bytes: Annotated[int, Field(ge=1)]
    near_duplicate_bits: Annotated[int, Field(ge=0, le=256)]
    near_duplicate_correlation: Annotated[float, Field(ge=-1, le=1)]
    rehash: bool

    @field_validator("class_names")
    @classmethod
    def _classes_are_two(cls, names: tuple[str, str]) -> tuple[str, str]:
        if len(set(names)) != 2 or "" in names:
            raise ValueError("must be the names of two different folders")
        return names

    @field_validator("positive_class")
    @classmethod
    def _positive_class_is_known(cls, name: str, info: ValidationInfo) -> str:
        if name not in info.data.get("class_names", (name,)):
            raise ValueError(f"must be one of class_names, {' or '.join(info.data['class_names'])}")
        return name

    @property
    def negative_class(self) -> str:
        """The class that is not the positive one."""
        return next(name for name in self.class_names if name != self.positive_class)


Policy = Literal["refuse", "positive", "negative", "leave_out"]


class LabelsParameters(Group):
    """Where labels come from if not from class folders."""

    table: Annotated[str, Field(min_length=1)]
    preset: Literal["plain", "nih", "chexpert", "rsna"]
    positive_findings: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    negative_findings: Annotated[tuple[str, ...], Field(strict=False)]
    uncertain: Policy
    blank: Policy


class ImbalanceParameters(Group):
    """How the imbalance of the classes is treated."""

    treatment: Literal["class_weights", "none"]


class AugmentationParameters(Group):
    """How strongly training images are changed at most; 0 switches an operation off."""

    flip: Annotated[float, Field(ge=0, le=1)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    crop: Annotated[float, Field(ge=0, le=1)]
    crop_area: Annotated[float, Field(gt=0, le=1)]
    crop_aspect: Annotated[float, Field(ge=0, le=1)]
    shear: Annotated[float, Field(ge=0, le=1)]
    gamma: Annotated[float, Field(ge=0, le=2)]
    contrast: Annotated[float, Field(ge=0, le=2)]
    brightness: Annotated[float, Field(ge=0, le=255)]
    blur: Annotated[float, Field(ge=0, le=2)]
    sharpen: Annotated[float, Field(ge=0, le=2)]
    noise: Annotated[float, Field(ge=0, le=128)]
    erase: Annotated[float, Field(ge=0, le=1)]


class InputsParameters(Group):
    """How an image becomes pixels, and how pixels become batches."""

    image_size: Annotated[int, Field(ge=32, le=1024)]
    resize: Literal["pad", "crop", "squeeze"]
    memory_limit_mb: Annotated[int, Field(ge=0)]
    augmentation: AugmentationParameters


class ModelParameters(Group):
    """Which network."""

    name: Annotated[str, Field(min_length=1)]
    weights: Annotated[str, Field(min_length=1)]
    zooms: Annotated[tuple[Annotated[float, Field(ge=0.25, le=1)], ...], Field(strict=False, min_length=1)]


class TrainingParameters(Group):
    """How the network is trained."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    target: Literal["auto", "etiology", "class"]
    image_scale: Annotated[float, Field(ge=0.25, le=1)]
    members: Annotated[int, Field(ge=1, le=20)]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    decay: Literal["cosine", "constant"]
    weight_decay: Annotated[float, Field(ge=0)]
    gradient_clip: Annotated[float, Field(ge=0)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    weight_averaging: Annotated[float, Field(ge=0, lt=1)]
    monitor: Literal["val_log_loss", "val_auc"]
    tolerance: Annotated[float, Field(ge=0)]
    patience: Annotated[int, Field(ge=1)]
    device: Literal["auto", "cpu", "gpu"]
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]
    deterministic: bool
    tensorboard: bool
    restart: bool


class EvaluationParameters(Group):
    """How predictions are judged."""

    seed: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)]
    resamples: Annotated[int, Field(ge=200)]
    calibration: Literal["logistic", "isotonic", "none"]
    threshold_rule: Literal["fixed", "youden", "sensitivity_floor", "specificity_floor", "cost_ratio"]
    fixed_threshold: Share
    sensitivity_floor: Share
    specificity_floor: Share
    cost_ratio: Annotated[float, Field(gt=0)]
    prevalence: Share
    train_images: Annotated[int, Field(ge=1)]
    gallery_images: Annotated[int, Field(ge=1, le=12)]
    hidden_side: Share
    rim_network: bool
    framing_images: Annotated[int, Field(ge=0)]
    robustness: bool
    robustness_images: Annotated[int, Field(ge=20)]


class PredictionParameters(Group):
    """How new images are judged and shown."""

    batch_size: Annotated[int, Field(ge=1)]
    shown_images: Annotated[int, Field(ge=0, le=1000)]


class ReportParameters(Group):
    """What only a person knows about the images, for the report to repeat."""

    population: Annotated[str, Field(min_length=1, max_length=200)]
    source: Literal["unknown", "kermany", "synthetic"]


class ExternalParameters(Group):
    """How a model is tested on labelled images of another place."""

    group_patterns: Patterns
    recalibrate: bool


class Parameters(Group):
    """All groups, with the top-level keys."""

    images: str
    ingest: IngestParameters
    labels: LabelsParameters
    imbalance: ImbalanceParameters
    inputs: InputsParameters
    model: ModelParameters
    training: TrainingParameters
    evaluation: EvaluationParameters
    prediction: PredictionParameters
    report: ReportParameters
    external: ExternalParameters
