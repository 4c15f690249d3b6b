"""The state of an unfinished training as a catalog entry."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from pneumonia.base.errors import UserError
from pneumonia.datasets.errors import plainly
from pneumonia.model.checkpoint import TrainingState


class TrainingStateDataset(AbstractDataset[NoReturn, TrainingState]):
    """Gives a handle on the state of an unfinished training. Nothing is saved through the catalog.

    Example:
    ```yaml
    training_state:
      type: pneumonia.datasets.TrainingStateDataset
      filepath: data/06_models/training_state.npz
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the state is kept."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    @plainly
    def load(self) -> TrainingState:
        """Return the handle."""
        return TrainingState(self._filepath)

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse: the training writes its state itself, epoch by epoch."""
        raise UserError("training_state is written by the training itself, epoch by epoch, not by a node.")

    def _exists(self) -> bool:
        # The handle always exists; whether a training is unfinished is for the handle to say.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
