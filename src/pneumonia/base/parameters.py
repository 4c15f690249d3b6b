"""Typed parameters: one frozen model per group of ``conf/*/parameters*.yml``.

Defaults live in YAML only. A key that is not named here, or a value that is impossible, ends the run before
an image is read. The text below a field, with its unit in brackets, is its description: docs/parameters.py writes it
into the YAML files and the table of parameters.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from pneumonia.base.data_parameters import (
    Group,
    IngestParameters,
    LabelsParameters,
    ReportParameters,
    Share,
    SourceParameters,
)
from pneumonia.base.places import AdaptationParameters, ChosenPlace, ExternalParameters
from pneumonia.base.study_parameters import EngineParameters, MlflowParameters, StudyParameters


class ImbalanceParameters(Group):
    """How the imbalance of the classes is treated."""

    treatment: Literal["class_weights", "none"]
    """class_weights: an image of class c counts n / (2 n_c) times in the loss. none: every image counts once."""
    sites: Literal["equal", "by_size"]
    """What the sites weigh where images come from several; the classes of each are balanced within it, so that the site
    tells nothing about the class. equal: every site the same. by_size: as its number of training images."""


class AugmentationParameters(Group):
    """How strongly training images are changed, at most; 0 switches an operation off."""

    flip: Annotated[float, Field(ge=0, le=1)]
    """Share of the images that are mirrored left to right; if above 0, models average over an image and its mirror
    image. [share of the images]"""
    rotation: Annotated[float, Field(ge=0, le=180)]
    """Largest rotation. [degrees]"""
    crop: Annotated[float, Field(ge=0, le=1)]
    """Share of the images of which only a part is shown, enlarged to full size. [share of the images]"""
    crop_area: Annotated[float, Field(gt=0, le=1)]
    """Smallest area of that part. [share of the area]"""
    crop_aspect: Annotated[float, Field(ge=0, le=1)]
    """Largest difference between the sides of that part. [|log of width over height|]"""
    zoom_out: Annotated[float, Field(ge=0, le=1)]
    """Share of the images that are shown smaller, on black; at most 1 - `crop`. [share of the images]"""
    shear: Annotated[float, Field(ge=0, le=1)]
    """Largest shear. [horizontal shift per height]"""
    histogram: Annotated[float, Field(ge=0, le=1)]
    """Share of the images whose histogram of grey levels moves towards that of another image of the batch; in an
    adaptation none. [share of the images]"""
    spectrum: Annotated[float, Field(ge=0, le=1)]
    """Share of the images whose sharpness and noise, the mean amplitude at each spatial frequency, move towards those
    of another image of the batch; in an adaptation none. [share of the images]"""
    gamma: Annotated[float, Field(ge=0, le=2)]
    """Largest change of the tone curve. [|log of the exponent|]"""
    contrast: Annotated[float, Field(ge=0, le=2)]
    """Largest change of contrast. [|log of the factor|]"""
    brightness: Annotated[float, Field(ge=0, le=255)]
    """Largest change of brightness. [grey levels of 255]"""
    blur: Annotated[float, Field(ge=0, le=2)]
    """Largest standard deviation of the blur. [pixels]"""
    sharpen: Annotated[float, Field(ge=0, le=2)]
    """Largest share of the difference from a blurred copy that is added. [share]"""
    noise: Annotated[float, Field(ge=0, le=128)]
    """Largest standard deviation of the noise. [grey levels of 255]"""
    erase: Annotated[float, Field(ge=0, le=1)]
    """Share of the images that lose a rectangle. [share of the images]"""

    @model_validator(mode="after")
    def _cut_or_smaller(self) -> Self:
        if self.crop + self.zoom_out > 1 + 1e-9:
            raise ValueError("crop and zoom_out add up to more than 1, but no image is both cropped and shown smaller")
        return self


class InputsParameters(Group):
    """How an image becomes pixels, and how pixels become batches."""

    image_size: Annotated[int, Field(ge=32, le=1024)]
    """Width and height of the images that the network sees. [pixels]"""
    resize: Literal["pad", "crop", "squeeze"]
    """How an image that is not square becomes square. In the published images the aspect ratio correlates with the
    class, and every way to hide it has a cost. squeeze: distorts the image; nothing is cut or added, and images that
    others made square (many copies of the published ones) match; the augmentation of proportions hides the remaining
    traces of the ratio. pad: keeps the proportions by adding black borders, whose width then reveals the ratio. crop:
    cuts the longer side to the central square; no trace of the ratio remains, but the outer lung may be lost."""
    memory_limit_mb: Annotated[int, Field(ge=0)]
    """Up to this size, the pixels of a split are held in memory; larger splits are streamed from disk. 0: always
    streamed. [10^6 bytes]"""
    augmentation: AugmentationParameters


class ModelParameters(Group):
    """Which network."""

    name: Annotated[str, Field(min_length=1)]
    """The network. residual_cnn: the project's own. separable_cnn: the network of the course notes that this project
    started from (set training.image_scale to 1). efficientnetv2_b0: from `keras.applications`, for pretrained weights.
    [residual_cnn, separable_cnn, efficientnetv2_b0]"""
    weights: Annotated[str, Field(min_length=1)]
    """Weights that the training starts from. none: random ones. The version of a pneumonia_model of this environment,
    or the path of a model of this project (.keras), of the same network. For networks from `keras.applications` also
    imagenet, downloaded once, or the path of a weights file. [none, imagenet, a version, or a path]"""


class TrainingParameters(Group):
    """How the network is trained."""

    seed: Annotated[int, Field(ge=0)]
    """Seed of the initial weights, the order of the images and their random changes. [integer]"""
    target: Literal["auto", "etiology", "class"]
    """What the network learns to distinguish. etiology: no, bacterial and viral pneumonia; the probability of pneumonia
    is the sum of the last two. class: the two classes. auto: etiology if it is known for every positive training
    image."""
    image_scale: Annotated[float, Field(ge=0.25, le=1)]
    """Side of the training images, but for the last epochs. Smaller images lose little, because crops are enlarged
    anyway, and an epoch takes less time. [share of inputs.image_size]"""
    full_size: Annotated[float, Field(ge=0, le=1)]
    """The last epochs, in which training images have the full size. [share of the epochs]"""
    members: Annotated[int, Field(ge=1, le=20)]
    """Networks whose probabilities one model averages. A single network is trained on all of train; each of several is
    trained on train without one fold, on which its epoch is chosen, so that k networks cost k - 1 times the training.
    [networks]"""
    epochs: Annotated[int, Field(ge=1)]
    """Largest number of passes over the training images. The learning rate's decay is spread over all of them.
    [epochs]"""
    batch_size: Annotated[int, Field(ge=1)]
    """Images per step. [images]"""
    learning_rate: Annotated[float, Field(gt=0)]
    """The highest learning rate, after the warm-up. [–]"""
    decay: Literal["cosine", "constant"]
    """How the learning rate falls after the warm-up. cosine: to 1% at the last epoch. constant: it does not fall."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW, only on kernels. [–]"""
    gradient_clip: Annotated[float, Field(ge=0)]
    """A gradient with a larger norm is scaled down to this norm, so that one unusual batch does not undo an epoch; 0
    switches it off. [norm]"""
    warmup_epochs: Annotated[float, Field(ge=0)]
    """Epochs of linearly increasing learning rate. [epochs]"""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    """0.05 turns the targets 0 and 1 of two classes into 0.025 and 0.975, those of three (with two etiologies) into
    0.0167 and 0.9667. [share]"""
    weight_averaging: Annotated[float, Field(ge=0, lt=1)]
    """Momentum of the moving average of the weights; the average is what is validated and saved. 0 switches it off.
    [per step]"""
    validation_freq: Annotated[int, Field(ge=1)]
    """Epochs from one validation to the next, as in Keras; the last epoch is always validated. Only a validated epoch's
    weights can be kept. [epochs]"""
    monitor: Literal["val_log_loss", "val_auc"]
    """Metric that decides which epoch's weights are kept, and when to stop. val_auc: higher is better. val_log_loss:
    lower is better."""
    tolerance: Annotated[float, Field(ge=0)]
    """The last epoch this close to the best is kept, because validation cannot distinguish them and later epochs have
    seen more. The default is about two standard errors of an AUC of 0.995 on 900 images. [of the monitored metric]"""
    patience: Annotated[int, Field(ge=1)]
    """Training stops after this many consecutive epochs that are worse than the best by more than the tolerance.
    [epochs]"""
    device: Literal["auto", "cpu", "gpu"]
    """auto: a GPU if there is one. gpu: an error if there is none. cpu: no GPU, even if there is one."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]
    """Precision of the computations. auto: mixed on GPUs and CPUs that compute faster in 16 bits, otherwise float32.
    The model is saved in float32."""
    deterministic: bool
    """The same images, seed, machine and number of cores give the same weights, bit for bit."""
    tensorboard: bool
    """Log every epoch for TensorBoard, which needs the extra tensorboard: tensorboard --logdir
    data/06_models/tensorboard"""
    restart: bool
    """Start over even if an interrupted training could be resumed."""


class EvaluationParameters(Group):
    """How predictions are evaluated."""

    seed: Annotated[int, Field(ge=0)]
    """Seed of the bootstrap, the cross-validation, the corrupted images and all samples. [integer]"""
    batch_size: Annotated[int, Field(ge=1)]
    """Images per forward pass; affects speed and memory, not the result. [images]"""
    resamples: Annotated[int, Field(ge=200)]
    """Bootstrap resamples of the groups, for intervals and bands without a formula. [resamples]"""
    calibration: Literal["logistic", "isotonic", "none"]
    """Calibration of the reported probability, fitted only on validation. It holds for images like those: on others it
    was found to do harm. none: the network's own probability. logistic: slope and intercept of the log-odds, which also
    corrects the shift caused by class weights. isotonic: a step function."""
    threshold_rule: Literal["fixed", "youden", "sensitivity_floor", "specificity_floor", "cost_ratio"]
    """How the threshold on the reported probability is chosen on validation. fixed: fixed_threshold, regardless of
    the validation images. youden: the largest sensitivity + specificity - 1. sensitivity_floor: the highest threshold
    that keeps this sensitivity. specificity_floor: the lowest threshold that keeps this specificity. cost_ratio: the
    lowest cost, if a missed positive costs as much as cost_ratio false alarms."""
    fixed_threshold: Share
    """For fixed: the threshold. [probability]"""
    sensitivity_floor: Share
    """For sensitivity_floor: the lowest acceptable sensitivity. [share]"""
    specificity_floor: Share
    """For specificity_floor: the lowest acceptable specificity. [share]"""
    cost_ratio: Annotated[float, Field(gt=0)]
    """For cost_ratio: the cost of a missed positive. [false alarms]"""
    prevalence: Share
    """Share of positive images for which predictive values are also given; the share in the data is far above that of
    any clinic. [share]"""
    train_images: Annotated[int, Field(ge=1)]
    """Largest number of training images that are scored for comparison with validation and test. [images]"""
    gallery_images: Annotated[int, Field(ge=1, le=12)]
    """Images of each kind (right, false alarm, miss) in the gallery. [images]"""
    hidden_side: Share
    """Side of the central square that is hidden, or that alone stays visible. [share of the side]"""
    rim_network: bool
    """Train two small networks: on the images with that square hidden, as one of the shortcuts that the network is
    compared with, and on that square alone."""
    framing_images: Annotated[int, Field(ge=0)]
    """Largest number of validation images per class that are cut, widened and zoomed to test whether the network judges
    by framing. 0: none. [images]"""
    robustness: bool
    """Evaluate on corrupted test images: nine kinds, such as noise and blur, at three strengths; each costs a pass of
    the network."""
    robustness_images: Annotated[int, Field(ge=20)]
    """Largest number of test images that are corrupted. [images]"""


class PredictionParameters(Group):
    """How new images are scored and shown."""

    batch_size: Annotated[int, Field(ge=1)]
    """Images per forward pass; affects speed and memory, not the result. [images]"""
    place: ChosenPlace
    """Name of the place whose own threshold and calibration are used, also by export; they were fitted by
    external.recalibrate or an adaptation. none: those of the model. [none, or a name]"""
    shown_images: Annotated[int, Field(ge=0, le=1000)]
    """Largest number of new images that the report shows, with a map, most suspicious first; the table lists all.
    [images]"""


class Parameters(Group):
    """All groups, with the top-level keys."""

    images: str | dict[str, str]
    """The raw images, of one source or of several by name. Set by `--params=images=PATH`, or
    `--params=images.NAME=PATH,images.OTHER=PATH`, or as `images` in `conf/local/globals.yml`, not in a parameters file.
    [folder, zip or address; or a name and one of these for each source]"""
    ingest: IngestParameters
    labels: LabelsParameters
    sources: dict[str, SourceParameters]
    """For several sources, by their names: what of `ingest` (class_names, positive_class, group_patterns) and of
    `labels` differs there. [sources.NAME.ingest.KEY, sources.NAME.labels.KEY]"""
    imbalance: ImbalanceParameters
    inputs: InputsParameters
    model: ModelParameters
    training: TrainingParameters
    evaluation: EvaluationParameters
    prediction: PredictionParameters
    report: ReportParameters
    external: ExternalParameters
    adaptation: AdaptationParameters
    study: StudyParameters
    engine: EngineParameters
    mlflow: MlflowParameters

    @model_validator(mode="after")
    def _sources_are_named(self) -> Self:
        names = set(self.images) if isinstance(self.images, dict) else set()
        if self.images == {}:
            raise ValueError("images names no source: it must be a path, or a path for each name")
        for name in names:
            if not name or "/" in name or name.startswith("."):
                raise ValueError(f"{name!r} is no name of a source: it may have no / and not begin with a dot")
        for name, source in self.sources.items():
            if name not in names:
                raise ValueError(
                    f"sources.{name} belongs to no source: images has {', '.join(sorted(names)) or 'none'}"
                )
            source.over(self.ingest, self.labels)
        return self


def as_dictionaries(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without types: Kedro passes the groups that a node asks for as models."""
    return {
        name: group.model_dump(mode="json") if isinstance(group, BaseModel) else group
        for name, group in parameters.items()
    }
