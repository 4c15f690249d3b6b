"""Typed parameters: one frozen model per group of ``conf/*/parameters*.yml``.

Defaults live in YAML only. A key that is not named here, or a value that is impossible, ends the run before
an image is read. The text below a field, with its unit in brackets, is its description: docs/parameters.py writes it
into the YAML files and the table of parameters.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pneumonia.base.data_parameters import Group, IngestParameters, LabelsParameters, Patterns, Share
from pneumonia.base.study_parameters import EngineParameters, StudyParameters


class ImbalanceParameters(Group):
    """How the imbalance of the classes is treated."""

    treatment: Literal["class_weights", "none"]
    """class_weights: an image of class c counts n / (2 n_c) times in the loss. none: every image counts once."""


class AugmentationParameters(Group):
    """How strongly training images are changed at most; 0 switches an operation off."""

    flip: Annotated[float, Field(ge=0, le=1)]
    """Share of the images that are mirrored left to right; above 0, models average over an image and its mirror image.
    [share of the images]"""
    rotation: Annotated[float, Field(ge=0, le=180)]
    """Largest rotation. [degrees]"""
    crop: Annotated[float, Field(ge=0, le=1)]
    """Share of the images of which only a part is shown, enlarged to the whole. [share of the images]"""
    crop_area: Annotated[float, Field(gt=0, le=1)]
    """Least area of that part. [share of the area]"""
    crop_aspect: Annotated[float, Field(ge=0, le=1)]
    """Largest difference of that part's sides. [|log of width over height|]"""
    zoom_out: Annotated[float, Field(ge=0, le=1)]
    """Share of the images that are shown smaller, on black; at most 1 less `crop`. [share of the images]"""
    shear: Annotated[float, Field(ge=0, le=1)]
    """Largest shear. [horizontal shift per height]"""
    gamma: Annotated[float, Field(ge=0, le=2)]
    """Largest change of the tone curve. [|log of the exponent|]"""
    contrast: Annotated[float, Field(ge=0, le=2)]
    """Largest change of contrast. [|log of the factor|]"""
    brightness: Annotated[float, Field(ge=0, le=255)]
    """Largest change of brightness. [grey levels of 255]"""
    blur: Annotated[float, Field(ge=0, le=2)]
    """Largest standard deviation of the blur. [pixels]"""
    sharpen: Annotated[float, Field(ge=0, le=2)]
    """Largest part of the difference to a blurred copy that is added. [share]"""
    noise: Annotated[float, Field(ge=0, le=128)]
    """Largest standard deviation of the noise. [grey levels of 255]"""
    erase: Annotated[float, Field(ge=0, le=1)]
    """Share of the images that lose a rectangle. [share of the images]"""

    @model_validator(mode="after")
    def _cut_or_smaller(self) -> Self:
        if self.crop + self.zoom_out > 1 + 1e-9:
            raise ValueError("crop and zoom_out add up to more than 1, but no image is both cut and shown smaller")
        return self


class InputsParameters(Group):
    """How an image becomes pixels, and how pixels become batches."""

    image_size: Annotated[int, Field(ge=32, le=1024)]
    """Width and height of what the network sees. [pixels]"""
    resize: Literal["pad", "crop", "squeeze"]
    """How an image that is not square becomes square. The aspect ratio goes with the class in the published images,
    and no way hides it without a cost. squeeze: distorts the image; nothing is cut or added, and images that were
    made square by others (many copies of the published ones) match; the augmentation's aspect blurs what is left of
    the ratio. pad: keeps the proportions by black borders, whose width then tells the ratio outright. crop: cuts
    the longer side to the central square; no trace of the ratio, but the outer lung may be lost."""
    memory_limit_mb: Annotated[int, Field(ge=0)]
    """The pixels of a split are held in memory up to this size; more are streamed from disk. 0: always streamed. [10^6
    bytes]"""
    augmentation: AugmentationParameters


class ModelParameters(Group):
    """Which network."""

    name: Annotated[str, Field(min_length=1)]
    """The network. residual_cnn: the project's own. separable_cnn: that of the course notes that this project started
    from (set training.image_scale to 1). efficientnetv2_b0: of `keras.applications`, for pretrained weights.
    [residual_cnn, separable_cnn, efficientnetv2_b0]"""
    weights: Annotated[str, Field(min_length=1)]
    """Where training starts, for networks of `keras.applications`. none: random weights. imagenet: downloaded once.
    Else the path of a weights file. [none, imagenet, or a path]"""
    zooms: Annotated[tuple[Annotated[float, Field(ge=0.25, le=1)], ...], Field(strict=False, min_length=1)]
    """Views of an image whose probabilities a model averages: sides of central cuts; 1 is the whole image. [shares of
    the side]"""


class TrainingParameters(Group):
    """How the network is trained."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """Seed of the first weights, of the order of the images and of every random change of them. [integer]"""
    target: Literal["auto", "etiology", "class"]
    """What the network learns to tell apart. etiology: no pneumonia, bacterial, viral; its probability of pneumonia is
    the sum of the two. class: the two classes. auto: etiology where it is known of every positive training image."""
    image_scale: Annotated[float, Field(ge=0.25, le=1)]
    """Side of the training images. Crops are enlarged, so that smaller ones lose little, and an epoch takes about the
    square of it. [share of inputs.image_size]"""
    members: Annotated[int, Field(ge=1, le=20)]
    """Networks whose probabilities are averaged to one model: 1 is trained on all of train; of several each is trained
    on train without one fold of it, on which its epoch is chosen, and k of them cost k - 1 times the training.
    [networks]"""
    epochs: Annotated[int, Field(ge=1)]
    """Passes over the training images, at most. The learning rate's decay is stretched over all of them. [epochs]"""
    batch_size: Annotated[int, Field(ge=1)]
    """Images in a step. [images]"""
    learning_rate: Annotated[float, Field(gt=0)]
    """The highest learning rate, after the warm-up. [–]"""
    decay: Literal["cosine", "constant"]
    """How the learning rate falls after the warm-up. cosine: to 1% at the last epoch. constant: not."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW, on kernels alone. [–]"""
    gradient_clip: Annotated[float, Field(ge=0)]
    """A gradient of larger norm is scaled down to it, so that one odd batch does not undo an epoch; 0 switches it off.
    [norm]"""
    warmup_epochs: Annotated[float, Field(ge=0)]
    """Epochs of linearly growing learning rate. [epochs]"""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    """0.05 turns the targets 0 and 1 into 0.025 and 0.975. [share]"""
    weight_averaging: Annotated[float, Field(ge=0, lt=1)]
    """Momentum of the moving average of the weights, which is what is validated and kept; 0 switches it off. [per
    step]"""
    monitor: Literal["val_log_loss", "val_auc"]
    """What decides which epoch's weights are kept, and when to stop. val_auc: the higher. val_log_loss: the lower."""
    tolerance: Annotated[float, Field(ge=0)]
    """The last epoch this close to the best is kept: about two standard errors of an AUC of 0.995 on 900 images, so
    that validation cannot tell them apart, and later epochs have seen more. [of the monitored metric]"""
    patience: Annotated[int, Field(ge=1)]
    """Training stops after this many epochs in a row that are worse by more than the tolerance. [epochs]"""
    device: Literal["auto", "cpu", "gpu"]
    """auto: a GPU where there is one. gpu: an error where there is none. cpu: no GPU even where there is one."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]
    """Precision of the computations. auto: mixed on GPUs and CPUs that compute in 16 bits faster, else float32. The
    model is saved in float32."""
    deterministic: bool
    """The same images, seed and machine give the same weights, bit for bit."""
    tensorboard: bool
    """Log every epoch for TensorBoard, which needs the extra tensorboard: tensorboard --logdir
    data/06_models/tensorboard"""
    restart: bool
    """Start over even where an interrupted training could go on."""


class EvaluationParameters(Group):
    """How predictions are judged."""

    seed: Annotated[int, Field(ge=0)]
    """Seed of the bootstrap, of the cross-validation, of the corrupted images and of every sample. [integer]"""
    batch_size: Annotated[int, Field(ge=1)]
    """Images in a forward pass; changes speed and memory, not the result. [images]"""
    resamples: Annotated[int, Field(ge=200)]
    """Bootstrap resamples of the groups, behind the intervals and bands that have no formula. [resamples]"""
    calibration: Literal["logistic", "isotonic", "none"]
    """Calibration of the probability that is given beside a decision, fitted on validation only; no decision depends
    on it. logistic: slope and intercept of the log-odds, which also takes back the shift that class weights bring.
    isotonic: a staircase. none: as it is."""
    threshold_rule: Literal["fixed", "youden", "sensitivity_floor", "specificity_floor", "cost_ratio"]
    """How the threshold is chosen on validation, on the network's own probability. fixed: fixed_threshold, whatever
    the validation images say. youden: the largest sensitivity + specificity - 1. sensitivity_floor: the highest
    threshold that keeps this sensitivity. specificity_floor: the lowest threshold that keeps this specificity.
    cost_ratio: the least cost, a missed positive costing cost_ratio false alarms."""
    fixed_threshold: Share
    """For fixed: the threshold. [probability]"""
    sensitivity_floor: Share
    """For sensitivity_floor: the least sensitivity. [share]"""
    specificity_floor: Share
    """For specificity_floor: the least specificity. [share]"""
    cost_ratio: Annotated[float, Field(gt=0)]
    """For cost_ratio: what a missed positive costs. [false alarms]"""
    prevalence: Share
    """Share of positive images for which predictive values are also given; the data's own share is far above any
    clinic's. [share]"""
    train_images: Annotated[int, Field(ge=1)]
    """Most training images whose scores stand beside those of validation and test. [images]"""
    gallery_images: Annotated[int, Field(ge=1, le=12)]
    """Images of each kind (right, false alarm, miss) in the gallery. [images]"""
    hidden_side: Share
    """Side of the square that is hidden, or alone left visible. [share of the side]"""
    rim_network: bool
    """Train a small network on the images with that square hidden, as one of the shortcuts that the network is set
    against."""
    framing_images: Annotated[int, Field(ge=0)]
    """Most validation images of a class that are shown cut, widened and zoomed, to see whether the network judges by
    their framing. 0: none. [images]"""
    robustness: bool
    """Measure on corrupted test images: seven or more kinds, such as noise and blur, at three strengths, each a pass
    of the network."""
    robustness_images: Annotated[int, Field(ge=20)]
    """Most test images that are corrupted. [images]"""


class PredictionParameters(Group):
    """How new images are judged and shown."""

    batch_size: Annotated[int, Field(ge=1)]
    """Images in a forward pass; changes speed and memory, not the result. [images]"""
    shown_images: Annotated[int, Field(ge=0, le=1000)]
    """Most new images that the report shows with a map, most suspicious first; the table has all. [images]"""


class ReportParameters(Group):
    """What only a person knows about the images, for the report to repeat."""

    population: Annotated[str, Field(min_length=1, max_length=200)]
    """Who the patients are, in the words that report and model card shall use, such as: children of 1 to 5 years.
    unknown: they say so. [text]"""
    source: Literal["unknown", "kermany", "synthetic"]
    """Where the images come from. kermany: the published paediatric radiographs (Mendeley Data, Kaggle), of which the
    report names hospital, authors and licence. synthetic: drawn by the demo. unknown: the report claims nothing
    about it."""


class ExternalParameters(Group):
    """How a model is tested on labelled images of another place."""

    group_patterns: Patterns
    """How file names give the group (the patient), tried before those of ingest; this one reads those of NIH
    ChestX-ray14, such as 00001281_003. [regular expressions]"""
    recalibrate: bool
    """Report what a calibration and a threshold fitted on half of the groups there bring on the other half."""


class Parameters(Group):
    """All groups, with the top-level keys."""

    images: str
    """The raw images. Set by `--params=images=PATH`, or as `images` in `conf/local/globals.yml`, in no parameters
    file. [folder, zip or address]"""
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
    study: StudyParameters
    engine: EngineParameters
