"""What happens after each epoch of a training."""

import logging
import math
import time

import keras
import numpy as np
import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import TrainingParameters
from pneumonia.model.checkpoint import TrainingState
from pneumonia.model.event_log import EventLog
from pneumonia.model.weight_average import AveragedCopy

logger = logging.getLogger(__name__)


class EpochKeeper(keras.callbacks.Callback):
    """After each epoch: judge it, keep the best weights, write the state, say how long it will still take.

    Attributes:
        history: One dictionary an epoch, those before an interruption included.
        best_epoch: The last epoch (from 0) that is as good as the best one, but for the tolerance; -1 before the first.
        best_weights: The (averaged) weights of that epoch, in the order of ``network.weights``.
    """

    def __init__(
        self,
        state: TrainingState,
        key: dict[str, str],
        parameters: TrainingParameters,
        copy: AveragedCopy,
        log: EventLog | None = None,
        member: str = "",
    ) -> None:
        """Start without history.

        Args:
            state: Where the state is kept.
            key: What a state must share to be taken up.
            parameters: The recipe.
            copy: What is judged and kept.
            log: For TensorBoard.
            member: Which of several networks this is, for messages, such as "member 2 of 5".
        """
        super().__init__()
        self.copy = copy
        self.log = log
        self.member = member
        self.state = state
        self.key = key
        self.parameters = parameters
        self.history: list[dict[str, float]] = []
        self.best_weights: list[np.ndarray] = []
        self.best_epoch = -1

    @property
    def next_epoch(self) -> int:
        """The first epoch (from 0) that is not in the history."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the last ``patience`` of them brought nothing better."""
        waited = self.next_epoch - 1 - self.best_epoch
        return self.next_epoch >= self.parameters.epochs or (self.next_epoch > 0 and waited >= self.parameters.patience)

    def progress(self) -> str:
        """Say how many epochs are done."""
        of_member = f" of {self.member}" if self.member else ""
        return f"{self.next_epoch} of {self.parameters.epochs} epochs{of_member}"

    def table(self) -> pd.DataFrame:
        """Return the history, one row an epoch; ``kept`` is 1 at the epoch whose weights are kept."""
        history = pd.DataFrame(self.history)
        return history.assign(kept=(history["epoch"] == self.best_epoch + 1).astype(int))

    def best_network(self, name: str) -> keras.Model:
        """Return the network with the weights that are kept, not compiled, under a name."""
        self.copy.network.set_weights(self.best_weights)
        return keras.Model(self.copy.network.input, self.copy.network.output, name=name)

    def restore(self, network: keras.Model) -> bool:
        """Take up the state of an unfinished training with the same key, if there is one.

        Returns:
            Whether there was one.
        """
        saved = None if self.parameters.restart else self.state.read()
        if saved is None:
            return False
        record, arrays = saved
        if record["key"] != self.key:
            differing = [name for name, digest in self.key.items() if record["key"].get(name) != digest]
            logger.warning(
                "An unfinished training is not continued: %s changed since. A new one starts.", " and ".join(differing)
            )
            return False
        network.optimizer.build(network.trainable_variables)
        variables = [*network.variables, *network.optimizer.variables]
        for variable, value in zip(variables, arrays["variables"], strict=True):
            variable.assign(value)
        self.history, self.best_epoch, self.best_weights = record["history"], record["best_epoch"], arrays["best"]
        logger.info("Continuing after %s.", self.progress())
        if self.log:
            for row in self.history:
                self.log.write(row)
        return True

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Take the time."""
        self._epoch_started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop at the first loss that is not a number: nothing after it can be right."""
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise UserError(
                f"The loss is {loss} at epoch {self.next_epoch + 1}, step {batch + 1}: training has diverged. "
                "Lower training.learning_rate. The weights of the last whole epoch are kept in "
                f"{self.state.path}; the same command would go on from there."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Judge the epoch and write the state."""
        self.copy.follow(self.model)
        row = {
            "epoch": epoch + 1,
            **{name: float(value) for name, value in (logs or {}).items()},
            **self.copy.validate(),
        }
        seconds = time.perf_counter() - self._epoch_started
        self.history.append({**row, "seconds": round(seconds, 3)})
        if self._score(row) >= max(map(self._score, self.history)) - self.parameters.tolerance:
            self.best_epoch, self.best_weights = epoch, self.copy.network.get_weights()
        variables = [*self.model.variables, *self.model.optimizer.variables]
        self.state.write(
            {"key": self.key, "history": self.history, "best_epoch": self.best_epoch, "finished": self.finished},
            {"variables": [np.asarray(v) for v in variables], "best": self.best_weights},
        )
        if self.log:
            self.log.write(row)
        left = (self.parameters.epochs - epoch - 1) * (time.perf_counter() - self._epoch_started)
        logger.info(
            "%s%d/%d: loss %.4f, validation AUC %.4f, log-loss %.4f%s; %.0f s, at most %d min %02d s left",
            f"{self.member.capitalize()}, epoch " if self.member else "Epoch ",
            epoch + 1, self.parameters.epochs, row["loss"], row["val_auc"], row["val_log_loss"],
            " (kept)" if self.best_epoch == epoch else "", seconds, *divmod(round(left), 60),
        )  # fmt: skip
        if self.finished:
            self.model.stop_training = True

    def _score(self, row: dict[str, float]) -> float:
        """Return the monitored value, larger is better."""
        return row["val_auc"] if self.parameters.monitor == "val_auc" else -row["val_log_loss"]
