"""Fits a network so that an interrupted training goes on where it was.

After every epoch one file holds all that the next epoch depends on: the network's variables, the optimizer's,
the best weights so far, the history and the key. The key names what must be equal for a training to go on:
manifest, pixels, parameters, class weights and package versions.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pneumonia.augmentation import N_DRAWS, Strengths, augment
from pneumonia.averaging import AveragedCopy, make_metrics, sample_statistics_batches
from pneumonia.datasets.training_state_dataset import TrainingState
from pneumonia.errors import UserError
from pneumonia.hardware import Hardware, choose_hardware, make_strategy
from pneumonia.input_functions import make_eval_input, make_train_input, steps_per_epoch
from pneumonia.networks import make_network
from pneumonia.parameters import InputsParameters, ModelParameters, TrainingParameters
from pneumonia.pixel_store import PixelStore

logger = logging.getLogger(__name__)

# The learning rate's share that is left at the end of the cosine.
FINAL_LEARNING_RATE = 0.01
# What the continuing of a training may differ in.
FREE_PARAMETERS = {"restart", "device"}


def make_key(parts: dict[str, Any]) -> dict[str, str]:
    """Return a digest of each part that a continued training must share with the interrupted one."""
    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {
        name: hashlib.sha256(json.dumps(part, sort_keys=True, default=str).encode()).hexdigest()[:16]
        for name, part in {**parts, "package versions": versions}.items()
    }


def compile_network(
    network: keras.Model, parameters: TrainingParameters, steps_per_epoch: int, hardware: Hardware
) -> None:
    """Give a network its optimizer, loss and metrics.

    AdamW (Loshchilov & Hutter 2019) with linear warm-up and cosine decay; binary cross-entropy with label
    smoothing; an exponential moving average of the weights, which is what is validated and kept.
    """
    average = parameters.weight_averaging
    optimizer = keras.optimizers.AdamW(
        make_schedule(parameters, steps_per_epoch),
        weight_decay=parameters.weight_decay,
        global_clipnorm=parameters.gradient_clip or None,
        use_ema=average > 0,
        ema_momentum=average or 0.99,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    network.compile(
        optimizer=optimizer,
        loss=keras.losses.BinaryCrossentropy(label_smoothing=parameters.label_smoothing),
        metrics=make_metrics(),
        jit_compile=hardware.jit_compile,
    )


def make_schedule(
    parameters: TrainingParameters, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate by step: a linear warm-up from 1% of the peak, then its decay."""
    warmup_steps = round(parameters.warmup_epochs * steps_per_epoch)
    peak = parameters.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 100 if warmup_steps else peak,
        decay_steps=max(parameters.epochs * steps_per_epoch - warmup_steps, 1),
        alpha=FINAL_LEARNING_RATE if parameters.decay == "cosine" else 1.0,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


class EpochKeeper(keras.callbacks.Callback):
    """After each epoch: judge it, keep the best weights, write the state, say how long it will still take.

    Attributes:
        history: One dictionary an epoch, those before an interruption included.
        best_epoch: The last epoch (from 0) that is as good as the best one, but for the tolerance; -1 before the first.
        best_weights: The (averaged) weights of that epoch, in the order of ``network.weights``.
    """

    def __init__(
        self, state: TrainingState, key: dict[str, str], parameters: TrainingParameters, copy: AveragedCopy
    ) -> None:
        """Start without history."""
        super().__init__()
        self.copy = copy
        self.state = state
        self.key = key
        self.parameters = parameters
        self.history: list[dict[str, float]] = []
        self.best_weights: list[np.ndarray] = []
        self.best_epoch = -1
        self._started = time.perf_counter()

    @property
    def next_epoch(self) -> int:
        """The first epoch (from 0) that is not in the history."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the last ``patience`` of them brought nothing better."""
        waited = self.next_epoch - 1 - self.best_epoch
        return self.next_epoch >= self.parameters.epochs or (self.next_epoch > 0 and waited >= self.parameters.patience)

    def table(self) -> pd.DataFrame:
        """Return the history, one row an epoch; ``kept`` is 1 at the epoch whose weights are kept."""
        history = pd.DataFrame(self.history)
        return history.assign(kept=(history["epoch"] == self.best_epoch + 1).astype(int))

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
        logger.info("Continuing after epoch %d of %d.", self.next_epoch, self.parameters.epochs)
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
            {"key": self.key, "history": self.history, "best_epoch": self.best_epoch},
            {"variables": [np.asarray(v) for v in variables], "best": self.best_weights},
        )
        left = (self.parameters.epochs - epoch - 1) * (time.perf_counter() - self._started) / (epoch + 1 - self._first)
        logger.info(
            "Epoch %d/%d: loss %.4f, validation AUC %.4f, log-loss %.4f%s; %.0f s, at most %s left",
            epoch + 1, self.parameters.epochs, row["loss"], row["val_auc"], row["val_log_loss"],
            " (kept)" if self.best_epoch == epoch else "", seconds, _minutes(left),
        )  # fmt: skip
        if self.finished:
            self.model.stop_training = True

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the clock by which the time left is told."""
        self._started = time.perf_counter()
        self._first = self.next_epoch

    def _score(self, row: dict[str, float]) -> float:
        """Return the monitored value, larger is better."""
        return row["val_auc"] if self.parameters.monitor == "val_auc" else -row["val_log_loss"]


def fit_network(
    split_manifest: pd.DataFrame,
    store: PixelStore,
    class_weights: dict[str, float],
    training_state: TrainingState,
    lineage: dict[str, Any],
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
) -> tuple[keras.Model, pd.DataFrame]:
    """Build a network, fit it, and return it with its best weights and its history.

    The arguments are those of the node ``train_network``; ``lineage`` is what the model will carry.
    """
    hardware = choose_hardware(training.device, training.precision)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    train = split_manifest[split_manifest["split"] == "train"]
    free = {name: value for name, value in lineage["training"].items() if name not in FREE_PARAMETERS}
    key = make_key({**lineage, "training": free, "class weights": class_weights, "precision": hardware.policy})
    steps = steps_per_epoch(len(train), training.batch_size)

    def build() -> keras.Model:
        # Policy, strategy and seed are set here, in the thread that trains: Keras keeps them by thread.
        keras.utils.set_random_seed(training.seed)
        return make_network(model.name, inputs.image_size, seed=training.seed)

    val = split_manifest[split_manifest["split"] == "val"]
    val_input = make_eval_input(store, val, batch_size=training.batch_size, memory_limit_mb=inputs.memory_limit_mb)
    batches = sample_statistics_batches(store, train, inputs, training) if training.weight_averaging else []
    keeper = EpochKeeper(training_state, key, training, AveragedCopy(build(), val_input, batches))
    with make_strategy(hardware).scope(), _policy(hardware.policy):
        network = build()
        compile_network(network, training, steps, hardware)
        keeper.restore(network)
    if not keeper.finished:
        train_input = make_train_input(
            store,
            train,
            batch_size=training.batch_size,
            seed=training.seed,
            memory_limit_mb=inputs.memory_limit_mb,
            first_epoch=keeper.next_epoch,
            augment=partial(augment, strengths=Strengths(**inputs.augmentation.model_dump())),
            n_draws=N_DRAWS,
            class_weights=class_weights,
        )
        fit(network, train_input, keeper, steps)
    trained = build()
    trained.set_weights(keeper.best_weights)
    trained.lineage = {**lineage, "hardware": hardware.record(), "epoch": keeper.best_epoch + 1}
    return trained, keeper.table()


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Set Keras' dtype policy inside the block."""
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(former)


def fit(network: keras.Model, train_input: tf.data.Dataset, keeper: EpochKeeper, steps: int) -> None:
    """Fit a compiled network from ``keeper.next_epoch`` on; the result is in ``keeper``.

    Raises:
        UserError: If interrupted, out of memory, or diverged. The state of the last whole epoch is kept.
    """
    try:
        network.fit(
            train_input,
            initial_epoch=keeper.next_epoch,
            epochs=keeper.parameters.epochs,
            steps_per_epoch=steps,
            callbacks=[keeper],  # which validates
            shuffle=False,  # the input shuffles
            verbose=0,
        )
    except KeyboardInterrupt as interrupt:
        raise UserError(
            f"Interrupted after {keeper.next_epoch} of {keeper.parameters.epochs} epochs. "
            "The same command goes on from there; --params=training.restart=true starts anew."
        ) from interrupt
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            f"Out of memory at batch size {keeper.parameters.batch_size} and image size "
            f"{network.input_shape[1]}. Lower training.batch_size or inputs.image_size."
        ) from error


def _minutes(seconds: float) -> str:
    """Put a duration as minutes and seconds."""
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
