"""The progress of one network's training."""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pneumonia.base.parameters import TrainingParameters
from pneumonia.model.checkpoint import TrainingState

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
