"""What a study keeps while it is under way: the result of each training, and the states of unfinished ones."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumonia.base.files import is_missing, read_record, write_with_checksum
from pneumonia.model.checkpoint import TrainingStates


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
            UserError: If its file is not whole.
        """
        path = self._path(key)
        return None if is_missing(path) else dict(read_record(path))

    def save(self, key: str, record: dict[str, Any]) -> None:
        """Write the result of a training, whole or not at all."""
        write_with_checksum(self._path(key), json.dumps(record, indent=1).encode())

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
