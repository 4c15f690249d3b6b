"""Fits a network so that an interrupted training goes on where it was.

After every epoch one file holds all that the next epoch depends on: the network's variables, the optimizer's,
the best weights so far, the history and the key. The key names what must be equal for a training to go on:
manifest, pixels, parameters, class weights and package versions.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import tensorflow as tf

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import InputsParameters, ModelParameters, TrainingParameters
from pneumonia.model.callbacks import EpochKeeper
from pneumonia.model.checkpoint import TrainingState
from pneumonia.model.ensembles import average_networks, plan_members
from pneumonia.model.event_log import EventLog
from pneumonia.model.hardware import Hardware, choose_hardware, make_strategy
from pneumonia.model.networks import make_network
from pneumonia.model.weight_average import AveragedCopy, make_metrics, sample_statistics_batches
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import make_eval_input, make_train_input, steps_per_epoch
from pneumonia.pixels.store import PixelStore

logger = logging.getLogger(__name__)

# The learning rate's share that is left at the end of the cosine.
FINAL_LEARNING_RATE = 0.01
# What the continuing of a training may differ in.
FREE_PARAMETERS = {"restart", "device", "tensorboard"}


def make_key(parts: dict[str, Any]) -> dict[str, str]:
    """Return a digest of each part that a continued training must share with the interrupted one."""
    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {
        name: hashlib.sha256(json.dumps(part, sort_keys=True, default=str).encode()).hexdigest()[:16]
        for name, part in {**parts, "package versions": versions}.items()
    }


def key_digest(key: dict[str, str]) -> str:
    """Return one short digest of a whole key."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]


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


def fit_network(
    split_manifest: pd.DataFrame,
    store: PixelStore,
    class_weights: dict[str, float],
    training_state: TrainingState,
    tensorboard_logs: Path,
    lineage: dict[str, Any],
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
) -> tuple[keras.Model, pd.DataFrame]:
    """Build a network, or several, fit them, and return the result with its history.

    The arguments are those of the node ``train_network``; ``lineage`` is what the model will carry.
    """
    hardware = choose_hardware(training.device, training.precision)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    free = {name: value for name, value in lineage["training"].items() if name not in FREE_PARAMETERS}
    key = make_key({**lineage, "training": free, "class weights": class_weights, "precision": hardware.policy})
    networks, histories = [], []
    plan = plan_members(split_manifest, training.members, training.seed)
    with training_state.lock():
        for number, (train, val) in enumerate(plan):
            recipe = training.model_copy(update={"seed": training.seed + number})
            name = f"member_{number + 1}" if len(plan) > 1 else model.name
            log = EventLog(tensorboard_logs / f"{name}-{key_digest(key)}") if training.tensorboard else None
            keeper = EpochKeeper(
                training_state.of_member(number) if len(plan) > 1 else training_state, key, recipe,
                _make_copy(store, train, val, inputs, model, recipe), log,
                f"member {number + 1} of {len(plan)}" if len(plan) > 1 else "",
            )  # fmt: skip
            fit_member(train, store, class_weights, keeper, hardware, inputs, model, recipe)
            networks.append(keeper.best_network(name))
            histories.append(keeper.table().assign(member=number + 1))
    mirror = inputs.augmentation.flip > 0
    trained = average_networks(networks, mirror=mirror)
    kept = [int(history.loc[history["kept"] == 1, "epoch"].iloc[0]) for history in histories]
    trained.lineage = {**lineage, "hardware": hardware.record(), "kept_epochs": kept, "mirror_averaged": mirror}
    return trained, pd.concat(histories, ignore_index=True)


def _build(inputs: InputsParameters, model: ModelParameters, training: TrainingParameters) -> keras.Model:
    # Policy, strategy and seed are set in the thread that trains: Keras keeps them by thread.
    keras.utils.set_random_seed(training.seed)
    return make_network(model.name, inputs.image_size, seed=training.seed)


def _make_copy(
    store: PixelStore,
    train: pd.DataFrame,
    val: pd.DataFrame,
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
) -> AveragedCopy:
    """Return the copy that is validated and kept."""
    val_input = make_eval_input(store, val, batch_size=training.batch_size, memory_limit_mb=inputs.memory_limit_mb)
    batches = sample_statistics_batches(store, train, inputs, training) if training.weight_averaging else []
    return AveragedCopy(_build(inputs, model, training), val_input, batches)


def fit_member(
    train: pd.DataFrame,
    store: PixelStore,
    class_weights: dict[str, float],
    keeper: EpochKeeper,
    hardware: Hardware,
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
) -> None:
    """Fit one network from where it was; the result is in ``keeper``."""
    steps = steps_per_epoch(len(train), training.batch_size)
    with make_strategy(hardware).scope(), _policy(hardware.policy):
        network = _build(inputs, model, training)
        compile_network(network, training, steps, hardware)
        keeper.restore(network)
    if keeper.finished:
        return
    train_input = make_train_input(
        store,
        train,
        batch_size=training.batch_size,
        seed=training.seed,
        memory_limit_mb=inputs.memory_limit_mb,
        first_epoch=keeper.next_epoch,
        augment=partial(augment, strengths=inputs.augmentation),
        n_draws=N_DRAWS,
        class_weights=class_weights,
    )
    fit(network, train_input, keeper, steps)


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
            f"Interrupted after {keeper.progress()}. "
            "The same command goes on from there; --params=training.restart=true starts anew."
        ) from interrupt
    except tf.errors.ResourceExhaustedError as error:
        if "No space left" in str(error):  # TensorFlow's own files: TensorBoard's logs
            raise UserError(f"The disk is full ({error.message}). Make room; the same command goes on.") from error
        raise UserError(
            f"Out of memory at batch size {keeper.parameters.batch_size} and image size "
            f"{network.input_shape[1]}. Lower training.batch_size or inputs.image_size."
        ) from error
