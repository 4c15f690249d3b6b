"""The log of a training's metrics for TensorBoard."""

import importlib.util
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from pneumonia.base.errors import UserError


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
                "training.tensorboard is true, but TensorBoard is not installed. Install the extra with "
                "`pip install -c constraints.txt -e '.[tensorboard]'`, or set training.tensorboard=false."
            )
        self.path = path
        self._writer = cache(self._open)

    def write(self, row: dict[str, float]) -> None:
        """Log the metrics of one epoch. The first epoch replaces whatever was logged before.

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
