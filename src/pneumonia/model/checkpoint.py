"""The states of unfinished trainings, one file each, and what must be equal for one to be resumed."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from pneumonia.base.annotations import Model
from pneumonia.base.environment import digest_of_code, tell_difference
from pneumonia.base.errors import UserError, can_be_told, explain
from pneumonia.base.files import PART, is_missing, regular, sha256_of_file, whole_file
from pneumonia.model.recipe import Recipe

# Parameters that the result of a training does not depend on.
FREE_PARAMETERS = {
    "inputs.memory_limit_mb", "training.restart", "training.device", "training.precision", "training.tensorboard",
}  # fmt: skip
SOURCE_FILES = ("model/*.py", "pixels/*.py")
PACKAGES = ("tensorflow", "keras", "numpy")

_DAMAGED = (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError, OSError, RuntimeError)

logger = logging.getLogger(__name__)
Arrays = dict[str, list[np.ndarray]]


def describe_training(recipe: Recipe, manifest_sha256: str, pixels: str, policy: str) -> dict[str, Any]:
    """Return everything that the result of a training depends on, by dotted name.

    Args:
        recipe: How it is trained.
        manifest_sha256: The digest of the split.
        pixels: The fingerprint of the pixel store.
        policy: The precision in which it computes.
    """
    given = {
        "inputs": recipe.inputs.model_dump(mode="json"),
        "model": recipe.model.model_dump(mode="json"),
        "training": recipe.training.model_dump(mode="json"),
        "class_weights": recipe.class_weights,
        "etiologies": list(recipe.etiologies),
        "manifest": manifest_sha256,
        "pixels": pixels,
        "precision": policy,
        "releases": {name: metadata.version(name) for name in PACKAGES},
        "source code": digest_of_code(*SOURCE_FILES),
    }
    if Path(recipe.model.weights).is_file():
        given["weights file"] = sha256_of_file(Path(recipe.model.weights))
    return {name: value for name, value in flattened(given).items() if name not in FREE_PARAMETERS}


def key_of(description: Any) -> str:
    """Return one short digest of a description, for a file's name."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=str).encode()).hexdigest()[:16]


def flattened(group: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested groups under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in group.items():
        flat |= flattened(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


@dataclass(frozen=True)
class TrainingState:
    """A handle on the file of one network's training: a record and named lists of arrays.

    Attributes:
        path: The file. It need not exist.
    """

    path: Path

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return the record and the arrays, or None if no training is unfinished.

        Raises:
            UserError: If the file is not whole, or is that of another training.
        """
        if is_missing(self.path):
            return None
        try:
            with np.load(regular(self.path)) as archive:
                record = json.loads(str(archive["record"]))
                if (written_as := record.pop("written_as")) != self.path.name:
                    raise ValueError(f"it was written as {written_as}")
                arrays = {
                    name: [archive[f"{name}.{index}"] for index in range(count)]
                    for name, count in record.pop("counts").items()
                }
        except _DAMAGED as error:
            if isinstance(error, OSError) and can_be_told(error):
                raise UserError(explain(error, self.path)) from error
            raise UserError(
                f"{self.path} is damaged or belongs elsewhere ({error}). Remove it, or start over with "
                "--params=training.restart=true."
            ) from error
        return record, arrays

    def write(self, record: dict[str, Any], arrays: Arrays) -> None:
        """Replace the state, whole or not at all."""
        counts = {name: len(values) for name, values in arrays.items()}
        flat: dict[str, Any] = {
            f"{name}.{index}": value for name, values in arrays.items() for index, value in enumerate(values)
        }
        with whole_file(self.path) as part, part.open("wb") as file:
            said = {**record, "counts": counts, "written_as": self.path.name}
            np.savez(file, record=np.array(json.dumps(said)), **flat)


@dataclass(frozen=True)
class TrainingStates:
    """The folder of all unfinished trainings. Each has a key, and files that only its owner writes and removes.

    Attributes:
        folder: Where the states are. It need not exist.
        logs: Where trainings log for TensorBoard.
    """

    folder: Path
    logs: Path
    _locks: dict[str, FileLock] = field(default_factory=dict, repr=False, compare=False)

    def of(self, key: str, member: int | None = None) -> TrainingState:
        """Return the state of a training, or of one of its several networks, counted from 1."""
        return TrainingState(self.folder / (f"{key}.npz" if member is None else f"{key}-member-{member}.npz"))

    def files_of(self, key: str) -> list[Path]:
        """Return the files of the states of a training."""
        return list(self.folder.glob(f"{key}*.npz"))

    def newest_other(self, key: str) -> TrainingState | None:
        """Return the newest state of another training, if there is one."""
        ages = {}
        for path in self.folder.glob("[!.]*.npz"):  # unfinished files are hidden
            with suppress(FileNotFoundError):  # its training has just ended
                ages[path] = path.stat().st_mtime
        others = [path for path in ages if not path.name.startswith(key)]
        return TrainingState(max(others, key=ages.__getitem__)) if others else None

    @contextmanager
    def owned(self, description: dict[str, Any]) -> Iterator[str]:
        """Prevent others from resuming the same training, until `remove` or the end of the process.

        After an exception it is free immediately.

        Args:
            description: Everything that the training's result depends on.

        Yields:
            The training's key.

        Raises:
            UserError: If the same training is running already.
        """
        key = key_of(description)
        if not self._lock(key):
            raise UserError(
                f"The same training is already running, with its state in {self.of(key).path}. Wait for it, or give "
                "this one another seed or an environment with its own root (docs/running.md)."
            )
        try:
            self._remove_leftovers(key)
            self._tell_of_others(key, description)
            yield key
        except BaseException:
            self._release(key)
            raise

    def remove(self, key: str) -> None:
        """Remove the states of a training whose model is saved, unless the same training has been started again."""
        if not self._lock(key):
            return
        for path in self.files_of(key):
            path.unlink()
        self._release(key)
        (self.folder / f"{key}.lock").unlink(missing_ok=True)

    def _tell_of_others(self, key: str, description: dict[str, Any]) -> None:
        """Say why the newest unfinished training is not continued, if there is one and it is another."""
        other = None if self.files_of(key) else self.newest_other(key)
        if other is None:
            return
        try:
            found = other.read()
        except UserError as error:  # in another training's file: it must not keep this one from starting
            logger.warning("%s", error.message)
            return
        if found is not None:
            logger.warning(
                "An unfinished training is not resumed, because this one has %s. It is kept in %s.",
                tell_difference(description, found[0].get("description", {})),
                other.path,
            )

    def _remove_leftovers(self, key: str) -> None:
        """Remove unfinished files of an owner that was killed."""
        for path in self.folder.glob(f"{PART}{key}*.npz"):
            path.unlink()

    def _lock(self, key: str) -> bool:
        """Tell whether the training is this process's own."""
        if key in self._locks:
            return True
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"{key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self._locks[key] = lock
        return True

    def _release(self, key: str) -> None:
        if key in self._locks:
            self._locks.pop(key).release()


def variables_of(network: Model) -> list[np.ndarray]:
    """Return the variables of a compiled network and of its optimizer."""
    return [np.asarray(variable) for variable in (*network.variables, *network.optimizer.variables)]


def restore(network: Model, variables: list[np.ndarray]) -> None:
    """Give a compiled network, and its optimizer, the variables that were saved; none: leave it as it is."""
    if not variables:
        return
    network.optimizer.build(network.trainable_variables)
    for variable, value in zip([*network.variables, *network.optimizer.variables], variables, strict=True):
        variable.assign(value)
