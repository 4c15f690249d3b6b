"""Trains a network, or several, so that an interrupted training can be resumed. `fit_epochs` shows the steps.

After every epoch, one file contains everything that the next epoch depends on: the network's variables, the
optimizer's, the best weights so far and the history. Its name is the training's key (`pneumonia.model.checkpoint`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras.callbacks import Callback

from pneumonia.base.errors import UserError
from pneumonia.model.averaging import AveragedCopy, average_networks, plan_members, sample_statistics_batches
from pneumonia.model.callbacks import (
    JudgeEpoch,
    Progress,
    ReportProgress,
    SaveState,
    StopWhenDiverged,
    counted_batches,
    log_for_tensorboard,
)
from pneumonia.model.checkpoint import TrainingState, TrainingStates, describe_training, restore
from pneumonia.model.compiling import compile_network, describe_compilation, fuse_normalisation
from pneumonia.model.hardware import Hardware, building_on, choose_hardware, drop_failing_xla, make_strategy
from pneumonia.model.lineage import manifest_digest
from pneumonia.model.networks import NO_WEIGHTS, make_network
from pneumonia.model.recipe import Recipe
from pneumonia.model.start import load_pretrained
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


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        model: The network with its kept weights, or the average of several, or of several views; float32, not compiled.
        history: One row per epoch and member: metrics of train and val (`val_...`), `seconds`, `kept`, `member`.
        facts: Entries for the lineage: `training_key`, `hardware`, `compilation`, `kept_epochs`, `mirror_averaged`.
    """

    model: keras.Model
    history: pd.DataFrame
    facts: dict[str, Any]


@dataclass(frozen=True)
class EnsembleMember:
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
        start: The weights that it starts from, if not those of the recipe, in the order of the network's.
    """

    name: str
    label: str
    train: pd.DataFrame
    val: pd.DataFrame
    recipe: Recipe
    state: TrainingState
    description: dict[str, Any]
    log: Path | None = None
    start: Sequence[np.ndarray] | None = None

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return steps_per_epoch(len(self.train), self.recipe.training.batch_size)


def train(split_manifest: pd.DataFrame, store: PixelStore, recipe: Recipe, states: TrainingStates) -> Trained:
    """Train on the train images, validate on the val images.

    Raises:
        UserError: If interrupted, out of memory, diverged, or a GPU is requested but absent.
    """
    hardware = settle_hardware(recipe)
    if recipe.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    description = describe_training(recipe, manifest_digest(split_manifest), store.fingerprint, hardware.policy)
    with states.owned(description) as key:
        members = list_members(split_manifest, recipe, states, description, key)
        fitted = [fit_member(member, store, hardware) for member in members]
    mirror = recipe.inputs.augmentation.flip > 0
    model = average_networks([network for network, _ in fitted], mirror=mirror)
    histories = [progress.table().assign(member=number) for number, (_, progress) in enumerate(fitted, 1)]
    facts = {
        "training_key": key,
        "hardware": hardware.record(),
        "compilation": describe_compilation(recipe, members[0].steps),
        "kept_epochs": [progress.best_epoch + 1 for _, progress in fitted],
        "mirror_averaged": mirror,
    }
    return Trained(model, pd.concat(histories, ignore_index=True), facts)


def settle_hardware(recipe: Recipe) -> Hardware:
    """Choose device and precision of a recipe, and XLA only if it can compile the network there."""
    hardware = choose_hardware(recipe.training.device, recipe.training.precision, recipe.training.deterministic)
    if not hardware.jit_compile:
        return hardware
    with building_on(hardware, make_strategy(hardware)):
        network = make_network(recipe.model.name, recipe.training_size, etiologies=len(recipe.etiologies))
        return drop_failing_xla(hardware, fuse_normalisation(network))


def list_members(
    split_manifest: pd.DataFrame, recipe: Recipe, states: TrainingStates, description: dict[str, Any], key: str
) -> list[EnsembleMember]:
    """Say which networks are trained, on what, and where their states are."""
    training = recipe.training
    splits = plan_members(split_manifest, training.members, training.seed)
    single = len(splits) == 1
    members = []
    for number, (train_rows, val_rows) in enumerate(splits, 1):
        name = recipe.model.name if single else f"member_{number}"
        members.append(
            EnsembleMember(
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


def fit_member(member: EnsembleMember, store: PixelStore, hardware: Hardware) -> tuple[keras.Model, Progress]:
    """Train one network, after an interruption from the next epoch on.

    Returns:
        The network with its kept weights, and what is known of each epoch.
    """
    progress = Progress(member.recipe.training, member.label)
    progress.take_up(member.state)
    # The copy with averaged weights, which is validated after each epoch and becomes the model.
    copy = AveragedCopy(*_copied(member, store))
    with counted_batches(progress, member.steps) as counter:
        callbacks = [*_callbacks(member, progress, copy), counter]
        while not progress.finished:
            fit_epochs(member, progress, callbacks, store, hardware)
    copy.network.set_weights(progress.best_weights)
    return named(copy.network, member.name), progress


def named(network: keras.Model, name: str) -> keras.Model:
    """Return a network of the same layers under a name, not compiled."""
    outputs = network.outputs
    return keras.Model(network.inputs[0], outputs if len(outputs) > 1 else outputs[0], name=name)


def fit_epochs(
    member: EnsembleMember, progress: Progress, callbacks: list[Callback], store: PixelStore, hardware: Hardware
) -> None:
    """Train one network for as long as the size of its images stays the same: input, network, compilation, fit.

    Args:
        member: The network.
        progress: Which epoch is next, and with which variables it goes on.
        callbacks: As for `run_epochs`.
        store: Has the pixels.
        hardware: On what it computes.
    """
    recipe, training = member.recipe, member.recipe.training
    sizes, epoch, strategy = recipe.sizes, progress.next_epoch, make_strategy(hardware)
    change = partial(augment, strengths=recipe.inputs.augmentation, size=sizes[epoch])
    # 1. The input. Each epoch is shuffled, cut into batches, augmented and weighted by class; some are prefetched.
    batches = make_train_input(
        store,
        member.train,
        # With several devices, from a smaller batch one could get no image, which is an error.
        Batching(training.batch_size, training.seed, epoch, strategy.num_replicas_in_sync > 1),
        memory_limit_mb=recipe.inputs.memory_limit_mb,
        augmentation=Augmentation(change, N_DRAWS),
        labelling=Labelling(recipe.class_weights, recipe.etiologies),
    )
    with building_on(hardware, strategy):
        # 2. The network, with the weights that it starts from.
        network = fuse_normalisation(build(recipe, sizes[epoch], member.start))
        # 3. Optimizer, learning rate, loss and metrics.
        compile_network(network, training, member.steps, hardware)
        restore(network, progress.variables)
    # 4. The epochs; the callbacks validate, keep the best weights and save.
    end = len(sizes) - sizes[::-1].index(sizes[epoch])
    run_epochs(network, batches, callbacks, member.steps, end)


def build(recipe: Recipe, size: int, start: Sequence[np.ndarray] | None = None) -> keras.Model:
    """Return the network of a recipe, for images of a size, with the weights that it starts from."""
    # Keras keeps policy, strategy and seed per thread, so they are set in the thread that trains.
    seed = recipe.training.seed
    keras.utils.set_random_seed(seed)
    network = make_network(recipe.model.name, size, etiologies=len(recipe.etiologies), seed=seed)
    if start is not None:
        network.set_weights(start)
    elif recipe.model.weights != NO_WEIGHTS:
        load_pretrained(network, recipe.model.weights)
    return network


def _copied(member: EnsembleMember, store: PixelStore) -> tuple[keras.Model, tf.data.Dataset, list[tf.Tensor]]:
    """Return the network that is validated, for images of full size, its input, and images for its statistics."""
    recipe = member.recipe
    size, limit = recipe.training.batch_size, recipe.inputs.memory_limit_mb
    val_input = make_eval_input(store, member.val, batch_size=size, memory_limit_mb=limit)
    batches = sample_statistics_batches(store, member.train, recipe) if recipe.training.weight_averaging else []
    return build(recipe, recipe.inputs.image_size), val_input, batches


def _callbacks(member: EnsembleMember, progress: Progress, copy: AveragedCopy) -> list[Callback]:
    """Return what happens in the training beside its steps, in order."""
    return [
        StopWhenDiverged(progress, member.state),
        JudgeEpoch(progress, copy),
        *([log_for_tensorboard(member.log, progress)] if member.log else []),
        SaveState(progress, member.state, member.description),
        ReportProgress(progress, member.recipe.sizes),
    ]


def run_epochs(
    network: keras.Model, train_input: tf.data.Dataset, callbacks: list[Callback], steps: int, end: int | None = None
) -> None:
    """Fit a compiled network; the callbacks, of which one is a `JudgeEpoch`, validate, keep and save.

    Args:
        network: Compiled.
        train_input: Endless batches, from the next epoch on.
        callbacks: What happens beside the steps.
        steps: Batches in an epoch.
        end: How many epochs are done at the end, those before included; by default those of the recipe.

    Raises:
        UserError: If interrupted, out of memory, diverged, or the machine cannot train deterministically. The state of
            the last complete epoch is kept.
    """
    progress = next(callback.progress for callback in callbacks if isinstance(callback, JudgeEpoch))
    try:
        network.fit(
            train_input,
            initial_epoch=progress.next_epoch,
            epochs=end or progress.training.epochs,
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
