"""The state of an unfinished training, in one file."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from pneumonia.base.errors import UserError
from pneumonia.base.files import whole_file

Arrays = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class TrainingState:
    """A handle on the one file of an unfinished training: a record and named lists of arrays.

    Attributes:
        path: The file. It need not exist.
    """

    path: Path

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return the record and the arrays, or None where no training is unfinished.

        Raises:
            UserError: If the file is not whole.
        """
        if not self.path.is_file():
            return None
        try:
            with np.load(self.path) as archive:
                record = json.loads(str(archive["record"]))
                arrays = {
                    name: [archive[f"{name}.{index}"] for index in range(count)]
                    for name, count in record.pop("counts").items()
                }
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise UserError(
                f"{self.path} is damaged ({error}). Remove it, or start anew by --params=training.restart=true."
            ) from error
        return record, arrays

    def write(self, record: dict[str, Any], arrays: Arrays) -> None:
        """Replace the state, whole or not at all."""
        counts = {name: len(values) for name, values in arrays.items()}
        flat: dict[str, Any] = {
            f"{name}.{index}": value for name, values in arrays.items() for index, value in enumerate(values)
        }
        with whole_file(self.path) as part, part.open("wb") as file:
            np.savez(file, record=np.array(json.dumps({**record, "counts": counts})), **flat)

    def of_member(self, number: int) -> "TrainingState":
        """Return the state of one of several networks that are trained in turn, counted from 0."""
        return replace(self, path=self.path.with_stem(f"{self.path.stem}_member_{number + 1}"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other trainings away from the state.

        Raises:
            UserError: If another training holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path.with_suffix(".lock"), timeout=0):
                yield
        except Timeout as error:
            raise UserError(
                f"Another training is running here: it keeps its state in {self.path}. Wait for it, or give this one "
                "an environment with a root of its own (docs/running.md)."
            ) from error

    def remove_finished(self) -> None:
        """Remove the state, if there is one, with those of all members; but none of a training that is not over."""
        for path in (self.path, *self.path.parent.glob(f"{self.path.stem}_member_*{self.path.suffix}")):
            state = replace(self, path=path).read()
            if state and state[0].get("finished"):
                path.unlink()
