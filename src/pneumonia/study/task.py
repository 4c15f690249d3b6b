"""One training of a study, wherever it is done: from images at an address to a row of results, which is kept."""

import json
import logging
import socket
import time
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel

from pneumonia.base.contract import RecordContract
from pneumonia.base.environment import describe_environment, digest_of_code, tell_difference
from pneumonia.base.errors import UserError
from pneumonia.base.files import is_missing, read_record, write_with_checksum
from pneumonia.images.source import ImageSource
from pneumonia.model.checkpoint import TrainingStates, describe_training, key_of
from pneumonia.model.lineage import manifest_digest
from pneumonia.model.recipe import Recipe, make_recipe, weigh_classes
from pneumonia.pixels.request import request_pixels
from pneumonia.pixels.store import PixelStore, PixelStores, pixel_keys
from pneumonia.split.folds import HELD_OUT
from pneumonia.split.summary import count_classes
from pneumonia.study.judges import Judged, judge, worst_of_each
from pneumonia.study.plan import Task

logger = logging.getLogger(__name__)

# What the judges' results depend on: code, and parameters of evaluation.
JUDGING_CODE = ("audits/*.py", "metrics/*.py", "study/judges.py", "study/task.py")
JUDGED_BY = ("framing_images", "robustness", "robustness_images", "seed")


class _Result(BaseModel):
    untouched_auc: float
    seconds: float
    held_out: dict[str, float]


class ResultContract(RecordContract):
    """Refuses the result of a training that is not as `run_task` gives it."""

    name: ClassVar[str] = "result of a training"
    layout = _Result
    remedy: ClassVar[str] = "or remove it, so that the study trains again"


@dataclass(frozen=True)
class StudyRecords:
    """A folder with one file for each finished training, named after all that its result depends on.

    Attributes:
        folder: It need not exist.
    """

    folder: Path

    @property
    def states(self) -> TrainingStates:
        """The states of unfinished trainings."""
        return TrainingStates(self.folder / "states", self.folder / "tensorboard")

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the result of a training, or None where it is not finished.

        Raises:
            UserError: If its file is not whole, has no checksum, or is not as its contract says.
        """
        path = self._path(key)
        if is_missing(path):
            return None
        record: dict[str, Any] = read_record(path, needs_checksum=True)
        try:
            return ResultContract().validate(record)
        except UserError as error:
            raise UserError(f"{path}: {error.message}") from error

    def save(self, key: str, record: dict[str, Any]) -> None:
        """Write the result of a training, whole or not at all."""
        write_with_checksum(self._path(key), json.dumps(record, indent=1).encode())

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


@dataclass(frozen=True)
class Images:
    """Labelled images at an address that every worker can read.

    Attributes:
        source: Where they are.
        rows: path, sha256 and target of each image.
    """

    source: ImageSource
    rows: pd.DataFrame


@dataclass(frozen=True)
class Job:
    """All that a worker needs for one training.

    Attributes:
        task: Which training.
        split_manifest: Its train and val images, and the test images, which it does not use.
        source: Where these are.
        external: Images of another place that the model is judged on.
        stores: Where pixels are kept; the folder is made, and the images are decoded, where it is not there.
        records: Where results and states are kept.
        environment: What the machine that planned the study has.
    """

    task: Task
    split_manifest: pd.DataFrame
    source: ImageSource
    external: Images | None
    stores: PixelStores
    records: StudyRecords
    environment: dict[str, str]

    @cached_property
    def recipe(self) -> Recipe:
        """How the network is trained.

        Raises:
            UserError: If it cannot work.
        """
        parameters = self.task.parameters
        weights = weigh_classes(count_classes(self.split_manifest), parameters.imbalance)
        given = parameters.inputs, parameters.model, parameters.training
        return make_recipe(self.split_manifest, weights, *given)

    @cached_property
    def key(self) -> str:
        """A short digest of all that the result depends on."""
        parameters = self.task.parameters
        pixels = self.stores.folder_of(parameters.inputs.image_size, parameters.inputs.resize).name
        trained = describe_training(
            self.recipe, manifest_digest(self.split_manifest), pixels, parameters.training.precision
        )
        evaluation = self.task.evaluation
        judged = {
            **{name: getattr(evaluation, name) for name in JUDGED_BY},
            "external": [] if self.external is None else _name_pixels(self.external.rows),
            "code of the judges": digest_of_code(*JUDGING_CODE),
        }
        return key_of([trained, judged])


def run_task(job: Job) -> dict[str, Any]:
    """Train and judge one network, unless its result is kept; go on where its training was interrupted.

    Returns:
        recipe, seed, fold, the lowest rates of each kind of judge (`worst_of_each`), epochs and kept_epoch, images and
        groups of val, seconds and cpu_seconds (of this process), device, `held_out` (probabilities of val by sha256).

    Raises:
        UserError: If this machine lacks the images or has other packages, or the training ends badly.
    """
    _check_environment(job.environment)
    kept = job.records.find(job.key)
    return kept if kept is not None else _train_and_judge(job)


def _train_and_judge(job: Job) -> dict[str, Any]:
    from pneumonia.base.startup import start_tensorflow
    from pneumonia.model.hardware import prepare_devices

    start_tensorflow()
    prepare_devices(job.task.parameters.training.device)
    from pneumonia.model.fit import train
    from pneumonia.model.predict import predict

    logger.info("Training %s.", job.task)
    start, cpu_start = time.perf_counter(), time.process_time()
    states = job.records.states
    store = _stored(job, job.source, job.split_manifest)
    trained = train(job.split_manifest, store, job.recipe, states)
    val = job.split_manifest[job.split_manifest["split"] == (HELD_OUT if job.task.site else "val")]
    ask = partial(predict, trained.model, batch_size=job.task.evaluation.batch_size)
    images = _read(store, val)
    judged = judge(ask, images, _read_external(job), job.task.evaluation)
    probability = [round(float(one), 6) for one in ask(images.images)]
    row = {
        **job.task.label,
        **worst_of_each(judged),
        "epochs": len(trained.history),
        "kept_epoch": trained.facts["kept_epochs"][0],
        "val_images": len(val),
        "val_groups": int(val["group"].nunique()),
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu_start, 1),
        "device": trained.facts["hardware"]["reason"],
        "held_out": dict(zip(val["sha256"], probability, strict=True)),
    }
    job.records.save(job.key, row)
    states.remove(trained.facts["training_key"])
    return row


def _name_pixels(rows: pd.DataFrame) -> list[list[Any]]:
    return [list(one) for one in zip(pixel_keys(rows), rows["target"].tolist(), strict=True)]


def _check_environment(expected: dict[str, str]) -> None:
    """Refuse to work with other packages or another code than the machine that planned the study."""
    if other := tell_difference(describe_environment(), expected):
        raise UserError(f"The worker on {socket.gethostname()} has {other}. Install the same there, or stop it.")


def _stored(job: Job, source: ImageSource, rows: pd.DataFrame) -> PixelStore:
    """Return the pixels of images, after decoding what this machine has not stored yet."""
    inputs = job.task.parameters.inputs
    try:
        job.stores.fill(request_pixels(source, rows, inputs))
    except UserError as error:
        raise UserError(f"On {socket.gethostname()}: {error.message}") from error
    return job.stores.open(inputs.image_size, inputs.resize)


def _read_external(job: Job) -> Judged | None:
    if job.external is None:
        return None
    return _read(_stored(job, job.external.source, job.external.rows), job.external.rows)


def _read(store: PixelStore, rows: pd.DataFrame) -> Judged:
    return Judged(store.read(store.rows(pixel_keys(rows))), rows["target"].to_numpy(np.int64))
