"""The states of unfinished trainings as a catalog entry."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from pneumonia.base.errors import UserError
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.runs.errors import plainly


class TrainingStateDataset(AbstractDataset[NoReturn, TrainingStates]):
    """Returns a handle on what trainings write themselves, epoch by epoch. Nothing is saved through the catalog.

    Example:
    ```yaml
    training_state:
      type: pneumonia.datasets.TrainingStateDataset
      filepath: data/06_models/training_state
      tensorboard_logs: data/06_models/tensorboard
    ```
    """

    def __init__(self, *, filepath: str, tensorboard_logs: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folders of the states and of TensorBoard's logs."""
        self._filepath = Path(filepath)
        # One handle for the whole run: it holds the lock until the model is saved.
        self._states = TrainingStates(self._filepath, Path(tensorboard_logs))
        self.metadata = metadata

    @plainly
    def load(self) -> TrainingStates:
        """Return the handle."""
        return self._states

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse: the training writes its state itself, epoch by epoch."""
        raise UserError("training_state is written by the training itself, epoch by epoch, not by a node.")

    def _exists(self) -> bool:
        # The handle always exists; only the handle knows whether a training is unfinished.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "tensorboard_logs": self._states.logs}
