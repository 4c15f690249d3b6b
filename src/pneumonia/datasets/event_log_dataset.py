"""Where a training logs its metrics for TensorBoard."""

import importlib.util
import shutil
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from pneumonia.errors import UserError


class EventLog:
    """One training's log: the runs ``train`` and ``val`` below a folder, so that TensorBoard draws them together.

    Attributes:
        path: The folder of the training. It is made with the first row.
    """

    def __init__(self, path: Path) -> None:
        """Describe where the log is kept.

        Raises:
            UserError: If TensorBoard, which TensorFlow needs to write such logs, is not installed.
        """
        if importlib.util.find_spec("tensorboard") is None:
            raise UserError(
                "training.tensorboard is true, but TensorBoard is not installed. Install the extra by "
                "`pip install -c constraints.txt -e '.[tensorboard]'`, or set training.tensorboard=false."
            )
        self.path = path
        self._writer = cache(self._open)

    def write(self, row: dict[str, float]) -> None:
        """Log the metrics of one epoch. The first epoch takes the place of whatever was logged before.

        Args:
            row: One row of the training's history: ``epoch``, metrics of train, and of val as ``val_...``.
        """
        import tensorflow as tf

        if row["epoch"] == 1 and self.path.is_dir():
            shutil.rmtree(self.path)
        for name, value in row.items():
            if name not in ("epoch", "seconds"):
                with self._writer("val" if name.startswith("val_") else "train").as_default(step=int(row["epoch"])):
                    tf.summary.scalar(name.removeprefix("val_"), value)
        for part in ("train", "val"):
            self._writer(part).flush()

    def _open(self, part: str) -> Any:
        import tensorflow as tf

        return tf.summary.create_file_writer(str(self.path / part))


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

    def load(self) -> Path:
        """Return the folder. It need not exist."""
        return self._filepath

    def save(self, data: NoReturn) -> None:
        """Refuse: the training logs by itself, epoch by epoch."""
        raise UserError("tensorboard_logs are written by the training itself, epoch by epoch, not by a node.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
