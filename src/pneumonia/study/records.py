"""What a study keeps while it is under way: the result of each training, and the states of unfinished ones."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_whole
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
        if not path.is_file():
            return None
        try:
            record = json.loads(path.read_bytes())
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}). Remove it, and its training is done again.") from error
        return dict(record)

    def save(self, key: str, record: dict[str, Any]) -> None:
        """Write the result of a training, whole or not at all."""
        write_whole(self._path(key), json.dumps(record, indent=1).encode())

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
