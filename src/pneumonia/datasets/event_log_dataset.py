"""The folder of TensorBoard's logs as a catalog entry."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from pneumonia.base.errors import UserError
from pneumonia.datasets.errors import plainly


class EventLogDataset(AbstractDataset[NoReturn, Path]):
    """Gives the folder below which trainings log for TensorBoard. Nothing is saved through the catalog.

    Example:
    ```yaml
    tensorboard_logs:
      type: pneumonia.datasets.EventLogDataset
      filepath: data/06_models/tensorboard
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the logs are kept."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    @plainly
    def load(self) -> Path:
        """Return the folder. It need not exist."""
        return self._filepath

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse: the training logs by itself, epoch by epoch."""
        raise UserError("tensorboard_logs are written by the training itself, epoch by epoch, not by a node.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
