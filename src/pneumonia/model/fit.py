"""Trains a network, or several, so that an interrupted training can be resumed.

After every epoch, one file contains everything that the next epoch depends on: the network's variables, the
optimizer's, the best weights so far and the history. Its name is the training's key (`pneumonia.model.key`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import pandas as pd
import tensorflow as tf

from pneumonia.base.errors import UserError
from pneumonia.model.batch_normalization import fuse_normalisation
from pneumonia.model.callbacks import JudgeEpoch, ReportProgress, SaveState, StopWhenDiverged, log_for_tensorboard
from pneumonia.model.checkpoint import TrainingState, TrainingStates
from pneumonia.model.compiling import compile_network
from pneumonia.model.ensembles import average_networks, plan_members
from pneumonia.model.hardware import Hardware, choose_hardware, make_strategy
from pneumonia.model.key import describe_training, key_of, tell_difference
from pneumonia.model.lineage import manifest_digest
from pneumonia.model.networks import NO_WEIGHTS, load_pretrained, make_network
from pneumonia.model.progress import Progress
from pneumonia.model.recipe import Recipe
from pneumonia.model.weight_average import AveragedCopy, sample_statistics_batches
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import (
    Augmentation,
    Batching,
    Labelling,
    make_eval_input,
    make_train_input,
    steps_per_epoch,
)
from pneumonia.pixels.store import PixelStore

logger = logging.getLogger(__name__)


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        model: The network with its kept weights, or the average of several, or of several views; float32, not compiled.
        history: One row per epoch and member: metrics of train and val (`val_...`), `seconds`, `kept`, `member`.
        facts: Entries for the lineage: `training_key`, `hardware`, `kept_epochs`, `mirror_averaged`.
    """

    model: keras.Model
    history: pd.DataFrame
    facts: dict[str, Any]


@dataclass(frozen=True)
class Member:
    """One network that is to be trained.

    Attributes:
        name: Of the network.
        label: For messages, if there are several, such as "member 2 of 5".
        train: Rows of the manifest on which it is trained.
        val: Rows that choose its epoch.
        recipe: With a seed of its own.
        state: Where it is saved while unfinished.
        description: Everything that its result depends on.
        log: The folder for TensorBoard, if that is on.
    """

    name: str
    label: str
    train: pd.DataFrame
    val: pd.DataFrame
    recipe: Recipe
    state: TrainingState
    description: dict[str, Any]
    log: Path | None


def train(split_manifest: pd.DataFrame, store: PixelStore, recipe: Recipe, states: TrainingStates) -> Trained:
    """Train on the train images, validate on the val images.

    Raises:
        UserError: If interrupted, out of memory, diverged, or a GPU is requested but absent.
    """
    hardware = choose_hardware(recipe.training.device, recipe.training.precision, recipe.training.deterministic)
    if recipe.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    description = describe_training(recipe, manifest_digest(split_manifest), store.fingerprint, hardware.policy)
    key = key_of(description)
    with states.owned(key):
        _tell_of_others(states, key, description)
        members = _plan(split_manifest, recipe, states, description)
        fitted = [fit_member(member, store, hardware) for member in members]
    mirror = recipe.inputs.augmentation.flip > 0
    model = average_networks([network for network, _ in fitted], mirror=mirror)
    histories = [progress.table().assign(member=number) for number, (_, progress) in enumerate(fitted, 1)]
    facts = {
        "training_key": key,
        "hardware": hardware.record(),
        "kept_epochs": [progress.best_epoch + 1 for _, progress in fitted],
        "mirror_averaged": mirror,
    }
    return Trained(model, pd.concat(histories, ignore_index=True), facts)


def _plan(
    split_manifest: pd.DataFrame, recipe: Recipe, states: TrainingStates, description: dict[str, Any]
) -> list[Member]:
    """Say which networks are trained, on what, and where their states are."""
    training, key = recipe.training, key_of(description)
    splits = plan_members(split_manifest, training.members, training.seed)
    single = len(splits) == 1
    members = []
    for number, (train_rows, val_rows) in enumerate(splits, 1):
        name = recipe.model.name if single else f"member_{number}"
        members.append(
            Member(
                name=name,
                label="" if single else f"member {number} of {len(splits)}",
                train=train_rows,
                val=val_rows,
                recipe=recipe.of_member(number - 1),
                state=states.of(key, None if single else number),
                description=description,
                log=states.logs / f"{name}-{key[:8]}" if training.tensorboard else None,
            )
        )
    return members


def _tell_of_others(states: TrainingStates, key: str, description: dict[str, Any]) -> None:
    """Say why the newest unfinished training is not continued, if there is one and it is another."""
    other = None if states.files_of(key) else states.newest_other(key)
    if other is None:
        return
    try:
        found = other.read()
    except UserError as error:  # in another training's file: it must not keep this one from starting
        logger.warning("%s", error.message)
        return
    if found is not None:
        logger.warning(
            "An unfinished training is not resumed, because this one has %s. It is kept in %s.",
            tell_difference(description, found[0].get("description", {})),
            other.path,
        )


def fit_member(member: Member, store: PixelStore, hardware: Hardware) -> tuple[keras.Model, Progress]:
    """Fit one network, resuming if it was interrupted.

    Returns:
        The network with its kept weights, and what is known of each epoch.
    """
    recipe, progress = member.recipe, Progress(member.recipe.training, member.label)
    steps = steps_per_epoch(len(member.train), recipe.training.batch_size)
    copy = _make_copy(member, store)
    strategy = make_strategy(hardware)
    with strategy.scope(), _policy(hardware.policy):
        network = fuse_normalisation(build(recipe, recipe.training_size))
        compile_network(network, recipe.training, steps, hardware)
        if not recipe.training.restart:
            take_up(network, progress, member.state)
    if not progress.finished:
        train_input = _train_input(member, store, progress, strategy.num_replicas_in_sync)
        run_epochs(network, train_input, _callbacks(member, progress, copy), steps)
    copy.network.set_weights(progress.best_weights)
    return keras.Model(copy.network.inputs[0], _outputs(copy.network), name=member.name), progress


def build(recipe: Recipe, size: int) -> keras.Model:
    """Return the network of a recipe, for images of a size, with the weights that it starts from."""
    # Keras keeps policy, strategy and seed per thread, so they are set in the thread that trains.
    seed = recipe.training.seed
    keras.utils.set_random_seed(seed)
    network = make_network(recipe.model.name, size, etiologies=len(recipe.etiologies), seed=seed)
    if recipe.model.weights != NO_WEIGHTS:
        load_pretrained(network, recipe.model.weights)
    return network


def _outputs(network: keras.Model) -> Any:
    return network.outputs[0] if len(network.outputs) == 1 else network.outputs


def _make_copy(member: Member, store: PixelStore) -> AveragedCopy:
    """Return the copy that is validated and kept; it takes images of full size."""
    recipe = member.recipe
    val_input = make_eval_input(
        store,
        member.val,
        batch_size=recipe.training.batch_size,
        memory_limit_mb=recipe.inputs.memory_limit_mb,
    )
    batches = sample_statistics_batches(store, member.train, recipe) if recipe.training.weight_averaging else []
    return AveragedCopy(build(recipe, recipe.inputs.image_size), val_input, batches)


def _train_input(member: Member, store: PixelStore, progress: Progress, replicas: int) -> tf.data.Dataset:
    recipe = member.recipe
    change = partial(augment, strengths=recipe.inputs.augmentation, size=recipe.training_size)
    return make_train_input(
        store,
        member.train,
        Batching(
            recipe.training.batch_size,
            recipe.training.seed,
            first_epoch=progress.next_epoch,
            whole=replicas > 1,  # from a smaller batch, a device could get no image, which is an error
        ),
        memory_limit_mb=recipe.inputs.memory_limit_mb,
        augmentation=Augmentation(change, N_DRAWS),
        labelling=Labelling(recipe.class_weights, recipe.etiologies),
    )


def _callbacks(member: Member, progress: Progress, copy: AveragedCopy) -> list[keras.callbacks.Callback]:
    """Return what happens in the training beside its steps, in order."""
    return [
        StopWhenDiverged(progress, member.state),
        JudgeEpoch(progress, copy),
        *([log_for_tensorboard(member.log, progress)] if member.log else []),
        SaveState(progress, member.state, member.description),
        ReportProgress(progress),
    ]


def take_up(network: keras.Model, progress: Progress, state: TrainingState) -> None:
    """Restore network and progress from an unfinished training, if there is one."""
    saved = state.read()
    if saved is None:
        return
    record, arrays = saved
    network.optimizer.build(network.trainable_variables)
    variables = [*network.variables, *network.optimizer.variables]
    for variable, value in zip(variables, arrays["variables"], strict=True):
        variable.assign(value)
    progress.history, progress.best_epoch = record["history"], record["best_epoch"]
    progress.best_weights = arrays["best"]
    logger.info("Resuming after %s.", str(progress))


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Set Keras' dtype policy inside the block."""
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(former)


def run_epochs(
    network: keras.Model, train_input: tf.data.Dataset, callbacks: list[keras.callbacks.Callback], steps: int
) -> None:
    """Fit a compiled network; the callbacks, of which one is a `JudgeEpoch`, validate, keep and save.

    Raises:
        UserError: If interrupted, out of memory, diverged, or the machine cannot train deterministically. The state of
            the last complete epoch is kept.
    """
    progress = next(callback.progress for callback in callbacks if isinstance(callback, JudgeEpoch))
    try:
        network.fit(
            train_input,
            initial_epoch=progress.next_epoch,
            epochs=progress.training.epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,  # the input shuffles
            verbose=0,
        )
    except KeyboardInterrupt as interrupt:
        raise UserError(
            f"Interrupted after {progress}. {progress.resumed_by.capitalize()} resumes from there; "
            "--params=training.restart=true starts over."
        ) from interrupt
    except tf.errors.ResourceExhaustedError as error:
        if "No space left" in str(error):  # TensorFlow's own files: TensorBoard's logs
            raise UserError(
                f"The disk is full ({error.message}). Free space; {progress.resumed_by} resumes."
            ) from error
        raise UserError(
            f"Out of memory at batch size {progress.training.batch_size} and image size "
            f"{network.input_shape[1]}. Lower training.batch_size or inputs.image_size."
        ) from error
    except tf.errors.UnimplementedError as error:
        if not progress.training.deterministic:
            raise
        raise UserError(
            f"This machine cannot train {network.name} deterministically ({error.message.splitlines()[0]}). Set "
            "training.deterministic=false, or training.device=cpu."
        ) from error
