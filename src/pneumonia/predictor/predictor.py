"""A trained model with its decision and range: takes images, returns a table."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.annotations import Floats, Model
from pneumonia.base.environment import RunContext
from pneumonia.base.errors import UserError, explain
from pneumonia.base.files import find_versions, read_record
from pneumonia.base.parameters import IngestParameters, PredictionParameters
from pneumonia.base.progress import follow
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.base.startup import start_tensorflow
from pneumonia.images.examine import Limits
from pneumonia.images.index import limits_of
from pneumonia.images.source import ImageSource
from pneumonia.metrics.calibration import apply_calibration
from pneumonia.metrics.decision_contracts import DecisionContract
from pneumonia.metrics.decisions import Decision
from pneumonia.model.lineage import Lineage, LineageContract, check_decoder, check_weights, weights_digest
from pneumonia.model.predict import forward, load_model, with_features
from pneumonia.pixels.decoding import LIMITS, MAX_FILE_BYTES, Read, ReadingSettings
from pneumonia.predictor.image_range import (
    FEATURES,
    GREY,
    KINDS,
    REASONS,
    ImageRange,
    RangeContract,
    describe_grey,
    range_distances,
)
from pneumonia.predictor.reading import items_of, read_in_chunks, with_ranges

PREDICTION_COLUMNS = ("path", "sha256", "probability", "decision", "in_range", "reason", "model_version")
YES, NO = "yes", "no"


# What belongs to a model, and the layers that they are kept in.
RECORDS = {"model_lineage": "06_models", "decision": "07_model_output", "image_range": "07_model_output"}


class TrainedModel(TypedDict):
    """A model and what belongs to it, as the catalog names them: what nodes that use a trained model are given."""

    pneumonia_model: Model
    model_lineage: Lineage
    decision: Decision
    image_range: ImageRange
    run_context: RunContext


class Predictor:
    """Scores images without labels.

    >>> predictor = Predictor.from_folder("data")  # doctest: +SKIP
    >>> table = predictor.predict("new_images")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Model,
        lineage: Lineage,
        decision: Decision,
        image_range: ImageRange,
        version: str = "",
    ) -> None:
        """Combine a model with what belongs to it.

        Args:
            model: The trained network.
            lineage: The record of what it was made from: classes, size and decoding of its images.
            decision: Calibration and threshold, fitted with this model.
            image_range: What its training images look like.
            version: Of the model, for the table.

        Raises:
            UserError: If lineage, decision or range belong to another model, or images are now decoded differently.
        """
        decision, image_range = DecisionContract().validate(decision), RangeContract().validate(image_range)
        check_weights(lineage, model, "model_lineage")
        check_weights(decision, model, "decision")
        check_weights(image_range, model, "image_range")
        check_decoder(lineage)
        self.model, self.image_range, self.version = model, image_range, version
        self.decision = decision
        self.class_names = tuple(lineage["class_names"])
        self.classes_ = np.array(self.class_names)  # scikit-learn's name for it
        self.image_size, self.resize = lineage["image_size"], lineage["resize"]
        self._with_features = with_features(model)

    @classmethod
    def from_catalog(cls, catalog: Any) -> Self:
        """Take model, lineage, decision and range from a Kedro catalog (anything with `load`)."""
        names = ("pneumonia_model", "model_lineage", "decision", "image_range")
        return cls(*(catalog.load(name) for name in names))

    @classmethod
    def from_run(cls, **trained: Unpack[TrainedModel]) -> Self:
        """Take what a run gives to a node."""
        version = trained["run_context"]["versions"]["pneumonia_model"]
        parts = (trained["model_lineage"], trained["decision"], trained["image_range"])
        return cls(trained["pneumonia_model"], *parts, version)

    @classmethod
    def from_folder(cls, folder: str | Path = "data", version: str | None = None) -> Self:
        """Take a model and what belongs to it from the folder that runs write to; no Kedro session is needed.

        Args:
            folder: The root of an environment: `data`, or `data/demo` for the demo.
            version: Of the model; the newest by default.

        Raises:
            UserError: If there is no such model, its lineage is missing, a record is damaged or edited, or it was never
                evaluated and so has no decision.
        """
        try:
            path = _find_model(Path(folder), version)
            start_tensorflow()
            model = load_model(path)
            digest = weights_digest(model)
            lineage, decision, image_range = (_find_record(Path(folder), name, digest, path) for name in RECORDS)
        except OSError as error:
            raise UserError(explain(error)) from error
        return cls(model, LineageContract().validate(lineage), decision, image_range, path.parent.name)

    def predict(
        self,
        images: str | Path | ImageSource | npt.NDArray | Sequence,
        *,
        batch_size: int = 64,
        limits: Limits = LIMITS,
        max_file_bytes: int = MAX_FILE_BYTES,
        note: Callable[[list[str]], None] = lambda sha256s: None,
    ) -> pd.DataFrame:
        """Score images, given in any way that `pneumonia.predictor.reading.items_of` accepts.

        Args:
            images: A path (image, folder, zip, fsspec address), a source, an array, or a sequence of these.
            batch_size: Images per forward pass.
            limits: Limits for an image; others are listed with the reason.
            max_file_bytes: Larger files are listed, not read.
            note: Is told the hashes of images before they are scored: in a run, the ledger of scored images.

        Returns:
            One row per image in the order given: path, sha256, probability, decision (the name of a class; empty if the
            image is out of range or unusable), in_range ("yes", "no", or empty), reason, model_version. No row for an
            empty sequence.
        """
        how = ReadingSettings(self.image_size, self.resize, limits, max_file_bytes)
        items = with_ranges(items_of(images), how)
        parts = [self._judge([], batch_size)]  # has the columns, whatever follows
        with follow(len(items), "Predicting") as advance:
            for chunk in read_in_chunks(items, how):
                note([read.sha256 for read in chunk if read.pixels is not None])
                parts.append(self._judge(chunk, batch_size))
                advance(len(chunk))
        return pd.concat(parts, ignore_index=True)

    def predict_proba(
        self, images: str | Path | ImageSource | npt.NDArray | Sequence, *, batch_size: int = 64
    ) -> Floats:
        """Return the probability of each class, as scikit-learn's classifiers do.

        Args:
            images: As in `predict`.
            batch_size: Images per pass.

        Returns:
            `[n, 2]`, in the order of `predict` and of `classes_`. NaN for an image that cannot be used. One that is out
            of range has probabilities: only `predict` tells.
        """
        positive = self.predict(images, batch_size=batch_size)["probability"].to_numpy(np.float64)
        return np.stack([1 - positive, positive], axis=1)

    def _judge(self, chunk: list[Read], batch_size: int) -> pd.DataFrame:
        """Judge a chunk of images that were read."""
        table = pd.DataFrame(
            {
                "path": [read.path for read in chunk],
                "sha256": [read.sha256 for read in chunk],
                "probability": np.nan,
                "decision": "",
                "in_range": "",
                "reason": [read.problem for read in chunk],
                "model_version": self.version,
            }
        ).astype(
            {"path": str, "sha256": str, **dict.fromkeys(("decision", "in_range", "reason", "model_version"), object)}
        )
        decoded = {row: read.pixels for row, read in enumerate(chunk) if read.pixels is not None}
        if decoded:
            usable, pixels = list(decoded), np.stack(list(decoded.values()))[..., None]
            for name, values in self.judge(*self.measure(pixels, batch_size)).items():
                table.loc[usable, name] = values
        return table[list(PREDICTION_COLUMNS)]

    def measure(self, pixels: npt.NDArray[np.uint8], batch_size: int) -> tuple[Floats, Floats]:
        """Return the network's own probability of decoded images, `[n]`, and their distances, in bounds, `[n, 2]`."""
        outputs, features = forward(self._with_features, pixels, batch_size)
        described = {GREY: describe_grey(pixels), FEATURES: features}
        return outputs[:, 0].astype(np.float64), range_distances(described, self.image_range)

    def judge(self, probability: Floats, distance: Floats) -> dict[str, npt.NDArray]:
        """Calibrate and decide what `measure` found.

        Returns:
            probability, decision, in_range, reason and answer (the place in `answers`), `[n]` each.
        """
        probability = apply_calibration(probability, self.decision["calibration"])
        answer = self.answer(probability, distance)
        decisions, reasons = (np.array(of_one, dtype=object) for of_one in zip(*answers(self.class_names), strict=True))
        return {
            "probability": probability,
            "decision": decisions[answer],
            "in_range": np.where(answer < len(self.class_names), YES, NO).astype(object),
            "reason": reasons[answer],
            "answer": answer,
        }

    def answer(self, probability: Floats, distance: Floats) -> npt.NDArray[np.int64]:
        """Return the place in `answers` for images of these reported probabilities, `[n]`, and distances, `[n, 2]`."""
        positive = (probability >= self.decision["threshold"]).astype(np.int64)
        return np.where(distance.max(axis=1) <= 1, positive, 2 + distance.argmax(axis=1))


def answers(class_names: Sequence[str]) -> list[tuple[str, str]]:
    """List what may be said of an image: a decision, or, out of range, no decision and the reason."""
    return [*((name, "") for name in class_names), *(("", REASONS[kind]) for kind in KINDS)]


def predict_images(
    new_images: ImageSource,
    ingest: IngestParameters,
    prediction: PredictionParameters,
    scoring_ledger: ScoringLedger,
    **trained: Unpack[TrainedModel],
) -> pd.DataFrame:
    """Score every image at an address; list unusable ones with the reason.

    Args:
        new_images: The images.
        ingest: What an image may be.
        prediction: The size of a batch.
        scoring_ledger: Notes the images, as they are read, before they are scored.
        trained: The model and what belongs to it.

    Returns:
        One row per image file, by path, with the columns `PREDICTION_COLUMNS`.

    Raises:
        UserError: If there are no images, or lineage, decision or range belong to another model.
    """
    return Predictor.from_run(**trained).predict(
        new_images,
        batch_size=prediction.batch_size,
        limits=limits_of(ingest),
        max_file_bytes=ingest.max_file_bytes,
        note=partial(scoring_ledger.note, trained["run_context"]["run_id"]),
    )


def _find_model(folder: Path, version: str | None) -> Path:
    """Return the path of the newest model, or of one version."""
    models = find_versions(folder / "06_models/pneumonia_model.keras")
    if (version or next(iter(models), None)) not in models:
        wanted = f"no version {version} of the model" if version else "no model"
        raise UserError(f"There is {wanted} in {folder.resolve()}. Train one: kedro run --params=images=PATH.")
    return models[version or next(iter(models))]


def _find_record(folder: Path, name: str, digest: str, model: Path) -> Any:
    """Return the newest record of this name that was made with the model's weights.

    One of an older release, which has no checksum, is taken unchecked.
    """
    for path in find_versions(folder / RECORDS[name] / f"{name}.json").values():
        record = read_record(path)
        if isinstance(record, dict) and record.get("weights_sha256") == digest:
            return record
    if name == "model_lineage":
        raise UserError(
            f"No model_lineage in {folder.resolve()} was made for the model {model.parent.name}, so it is not known "
            "what that model was made from. Name another version, or train again."
        )
    raise UserError(
        f"The model {model.parent.name} has no {name}: it was never evaluated. Evaluate it: kedro run "
        f"--pipelines=evaluation --load-versions=pneumonia_model:{model.parent.name}."
    )
