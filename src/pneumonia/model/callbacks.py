"""What happens in a training besides its steps: what is known after each epoch, and one callback per task, in order."""

import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import TrainingParameters
from pneumonia.base.progress import follow, say_time
from pneumonia.model.averaging import AveragedCopy
from pneumonia.model.checkpoint import TrainingState, variables_of
from pneumonia.model.compiling import plain_names

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """What is known after each epoch.

    Attributes:
        training: The recipe.
        member: Which of several networks this is, for messages, such as "member 2 of 5".
        history: One dictionary per epoch, those before an interruption included; `val_...` only of those validated.
        best_epoch: The last validated epoch (from 0) that is within the tolerance of the best one; -1 before the first.
        best_weights: The (averaged) weights of that epoch, in the order of `network.weights`.
        variables: Those of network and optimizer after the last epoch, with which the next one goes on.
    """

    training: TrainingParameters
    member: str = ""
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_weights: list[np.ndarray] = field(default_factory=list, repr=False)
    variables: list[np.ndarray] = field(default_factory=list, repr=False)

    def __str__(self) -> str:
        """Say how many epochs are done."""
        of_member = f" of {self.member}" if self.member else ""
        return f"{self.next_epoch} of {self.training.epochs} epochs{of_member}"

    @property
    def next_epoch(self) -> int:
        """The first epoch (from 0) that is not in the history."""
        return len(self.history)

    @property
    def resumed_by(self) -> str:
        """What resumes the training, for messages."""
        return "the same command" + (" without training.restart=true" if self.training.restart else "")

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or one is validated that is `patience` of them later than the best."""
        if self.next_epoch >= self.training.epochs:
            return True
        waited = self.next_epoch - 1 - self.best_epoch
        is_validated = self.next_epoch > 0 and self.training.monitor in self.history[-1]
        return is_validated and waited >= self.training.patience

    def take_up(self, state: TrainingState) -> None:
        """Take up an unfinished training, if there is one."""
        saved = None if self.training.restart else state.read()
        if saved is None:
            return
        record, arrays = saved
        self.history, self.best_epoch, self.best_weights = record["history"], record["best_epoch"], arrays["best"]
        self.variables = arrays["variables"]
        logger.info("Resuming after %s.", str(self))

    def is_kept(self, row: dict[str, float]) -> bool:
        """Tell whether an epoch, the last of the history, is validated and within the tolerance of the best."""
        scores = [self._score(earlier) for earlier in self.history if self.training.monitor in earlier]
        return self.training.monitor in row and self._score(row) >= max(scores) - self.training.tolerance

    def validates(self, epoch: int) -> bool:
        """Tell whether an epoch (from 0) is validated."""
        return (epoch + 1) % self.training.validation_freq == 0 or epoch + 1 == self.training.epochs

    def table(self) -> pd.DataFrame:
        """Return the history, one row per epoch; `kept` is 1 at the epoch whose weights are kept."""
        history = pd.DataFrame(self.history)
        return history.assign(kept=(history["epoch"] == self.best_epoch + 1).astype(int))

    def record(self) -> dict[str, Any]:
        """Return all but the weights as a record."""
        return {"history": self.history, "best_epoch": self.best_epoch, "finished": self.finished}

    def _score(self, row: dict[str, float]) -> float:
        """Return the monitored value, larger is better."""
        return row["val_auc"] if self.training.monitor == "val_auc" else -row["val_log_loss"]


Logs = dict[str, Any] | None


class StopWhenDiverged(keras.callbacks.Callback):
    """Stops at the first loss that is not a number: nothing after it can be right."""

    def __init__(self, progress: Progress, state: TrainingState) -> None:
        """Take what the message names."""
        super().__init__()
        self.progress, self.state = progress, state

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the loss."""
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        epochs = self.progress.next_epoch
        kept = (
            f"The state after {epochs} complete epochs is kept in {self.state.path}; {self.progress.resumed_by} would "
            "resume from there."
            if epochs
            else "No epoch was completed, so nothing is kept."
        )
        raise UserError(
            f"The loss is {loss} at epoch {epochs + 1}, by step {batch + 1}: training has diverged. "
            f"Lower training.learning_rate. {kept}"
        )


class JudgeEpoch(keras.callbacks.Callback):
    """Validates the averaged copy if its turn, records the epoch, keeps the best weights, stops when patience ends."""

    def __init__(self, progress: Progress, copy: AveragedCopy) -> None:
        """Take what is judged and where it is noted."""
        super().__init__()
        self.progress, self.copy = progress, copy

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Take the time."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Judge the epoch. The callbacks after this one see its validation in `logs`."""
        progress = self.progress
        logs = {} if logs is None else logs
        found = plain_names(logs)
        if progress.validates(epoch):
            self.copy.follow(self.model)
            found |= self.copy.validate()
        logs.update(found)
        row = {"epoch": epoch + 1, **found}
        progress.history.append({**row, "seconds": round(time.perf_counter() - self._started, 3)})
        if progress.is_kept(row):
            progress.best_epoch, progress.best_weights = epoch, self.copy.network.get_weights()
        if progress.finished:
            self.model.stop_training = True


class SaveState(keras.callbacks.Callback):
    """Keeps and writes all that the next epoch depends on, after each epoch."""

    def __init__(self, progress: Progress, state: TrainingState, description: dict[str, Any]) -> None:
        """Take what is written, and the description that names the training."""
        super().__init__()
        self.progress, self.state, self.description = progress, state, description

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the state."""
        progress = self.progress
        # At the end of `fit`, Keras replaces the network's weights by the averaged ones, so they are kept here.
        progress.variables = variables_of(self.model)
        self.state.write(
            {"description": self.description, **progress.record()},
            {"variables": progress.variables, "best": progress.best_weights},
        )


def log_for_tensorboard(folder: Path, progress: Progress) -> keras.callbacks.Callback:
    """Return the callback that logs each epoch in a folder for TensorBoard; a resumed training goes on there.

    Raises:
        UserError: If TensorBoard, which TensorFlow needs to write such logs, is not installed.
    """
    if find_spec("tensorboard") is None:
        raise UserError(
            "training.tensorboard is true, but TensorBoard is not installed. Install the extra with "
            "`pip install -c constraints.txt -e '.[tensorboard]'`, or set training.tensorboard=false."
        )
    if not progress.history and folder.is_dir():
        shutil.rmtree(folder)
    return keras.callbacks.TensorBoard(folder, write_graph=False)


class CountBatches(keras.callbacks.Callback):
    """Tells how many batches are done."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        """Take whom to tell."""
        super().__init__()
        self.advance, self._done = advance, 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Begin to count."""
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Count the batches since the last call: several are done in one go."""
        self.advance(batch + 1 - self._done)
        self._done = batch + 1


@contextmanager
def counted_batches(progress: Progress, steps: int) -> Iterator[CountBatches]:
    """Show how many batches of the epochs that are left are done, `steps` in each, by the callback that is yielded."""
    left = steps * (progress.training.epochs - progress.next_epoch)
    with follow(left, "Fitting", "batches", alone=False) as advance:
        yield CountBatches(advance)


class ReportProgress(keras.callbacks.Callback):
    """Reports after each epoch its results and about how long the rest will take."""

    def __init__(self, progress: Progress, sizes: Sequence[int] = ()) -> None:
        """Take what is said, and the side of the images in each epoch if it changes."""
        super().__init__()
        self.progress, self.pixels = progress, [size**2 for size in sizes] or [1] * progress.training.epochs

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Report on one line. The first epoch also builds the graph, so it does not tell how long the others take."""
        progress = self.progress
        row = progress.history[-1]
        epochs = progress.training.epochs
        # One epoch in `validation_freq` is validated; an epoch takes longer the more pixels its images have.
        recent = progress.history[1:][-progress.training.validation_freq :]
        rates = [done["seconds"] / self.pixels[int(done["epoch"]) - 1] for done in recent]
        seconds = fmean(rates) * sum(self.pixels[epoch + 1 :]) if rates else 0.0
        left = f", about {say_time(seconds)} left" if seconds else ""
        judged = ""
        if "val_auc" in row:
            judged = f", validation AUC {row['val_auc']:.4f}, log-loss {row['val_log_loss']:.4f}"
        logger.info(
            "%s%d/%d: loss %.4f%s%s; %.0f s%s",
            f"{progress.member.capitalize()}, epoch " if progress.member else "Epoch ",
            epoch + 1, epochs, row["loss"], judged, " (kept)" if progress.best_epoch == epoch else "",
            row["seconds"], left,
        )  # fmt: skip
