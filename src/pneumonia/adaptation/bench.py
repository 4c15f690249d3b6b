"""One compiled network that is adapted again and again, so that TensorFlow builds its graphs only once."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumonia.base.annotations import Floats, Model
from pneumonia.model.averaging import AveragedCopy, average_networks, sample_statistics_batches
from pneumonia.model.callbacks import JudgeEpoch, Progress, ReportProgress, SaveState, StopWhenDiverged, counted_batches
from pneumonia.model.checkpoint import TrainingState, restore
from pneumonia.model.compiling import compile_network, fuse_normalisation
from pneumonia.model.fit import build, named, run_epochs
from pneumonia.model.hardware import Hardware, building_on, make_strategy
from pneumonia.model.predict import list_networks, predict_stored
from pneumonia.model.recipe import Recipe
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import Augmentation, Batching, Labelling, make_eval_input, make_train_input
from pneumonia.pixels.store import PixelStore


@dataclass(frozen=True)
class Fit:
    """One adaptation.

    Attributes:
        label: For messages, such as "fold 2 of 5".
        mixture: The rows of an epoch, as `mixture.mix` makes them.
        class_weights: Of each cell of the mixture.
        val: Images on which each epoch is judged, for the history.
        states: Where each network is saved while unfinished.
        description: Everything that the result depends on.
    """

    label: str
    mixture: pd.DataFrame
    class_weights: dict[str, float]
    val: pd.DataFrame
    states: list[TrainingState]
    description: dict[str, Any]


class Bench:
    """Adapts the networks of a model, each time from the same weights.

    The loss is that of the two classes, on the probability: of another place's images no etiology is known.

    Attributes:
        size: How many networks the model has.
        model: The model with the networks of the last fit; it averages views and networks as the parent does.
    """

    def __init__(
        self, parent: Model, recipe: Recipe, store: PixelStore, hardware: Hardware, steps: int, mirror: bool
    ) -> None:
        """Build and compile.

        Args:
            parent: The model from whose weights every fit starts.
            recipe: With the parent's network and etiologies.
            store: Has the pixels.
            hardware: On what, and in which precision, it computes.
            steps: Batches in an epoch, the same for every fit.
            mirror: Whether the model averages over an image and its mirror image.
        """
        self._recipe, self._store, self._steps = recipe, store, steps
        self._starts = [network.get_weights() for network in list_networks(parent)]
        self._strategy = make_strategy(hardware)
        with building_on(hardware, self._strategy):
            self._whole = fuse_normalisation(build(recipe, recipe.training_size))
            self._network = keras.Model(self._whole.inputs, self._whole.outputs[0], name=self._whole.name)
            compile_network(self._network, recipe.training, steps, hardware)
            self._network.optimizer.build(self._network.trainable_variables)
        self._fresh = [np.array(variable) for variable in self._variables]
        self._copy = AveragedCopy(build(recipe, recipe.inputs.image_size), None, [])
        self.size = len(self._starts)
        names = [recipe.model.name] if self.size == 1 else [f"member_{n}" for n in range(1, self.size + 1)]
        self._networks = [named(build(recipe, recipe.inputs.image_size), name) for name in names]
        self.model = average_networks(self._networks, mirror=mirror)

    @property
    def _variables(self) -> list[Any]:
        return [*self._network.variables, *self._network.optimizer.variables]

    def fit(self, fit: Fit) -> pd.DataFrame:
        """Adapt each network, resuming if it was interrupted; `model` then has their weights.

        Returns:
            The history: one row per epoch and member.
        """
        histories = []
        for number, (start, state) in enumerate(zip(self._starts, fit.states, strict=True), 1):
            progress = self._fit_one(fit, start, state)
            self._networks[number - 1].set_weights(progress.best_weights)
            histories.append(progress.table().assign(member=number))
        return pd.concat(histories, ignore_index=True)

    def predict(self, sha256s: pd.Series, batch_size: int) -> Floats:
        """Return the probability of stored images by `model`, `[n]`."""
        return predict_stored(self.model, self._store, sha256s, batch_size)

    def _fit_one(self, fit: Fit, start: list[np.ndarray], state: TrainingState) -> Progress:
        recipe, training = self._recipe, self._recipe.training
        progress = Progress(training, fit.label)
        progress.take_up(state)
        if progress.finished:
            return progress
        self._start_from(start)
        restore(self._network, progress.variables)
        limit, size = recipe.inputs.memory_limit_mb, training.batch_size
        self._copy.aim(
            make_eval_input(self._store, fit.val, batch_size=size, memory_limit_mb=limit),
            sample_statistics_batches(self._store, fit.mixture, recipe) if training.weight_averaging else [],
        )
        change = partial(augment, strengths=recipe.inputs.augmentation, size=recipe.training_size)
        batches = make_train_input(
            self._store,
            fit.mixture,
            Batching(size, training.seed, progress.next_epoch, self._strategy.num_replicas_in_sync > 1),
            memory_limit_mb=limit,
            augmentation=Augmentation(change, N_DRAWS),
            labelling=Labelling(fit.class_weights),
        )
        with counted_batches(progress, self._steps) as counter:
            run_epochs(self._network, batches, [*self._callbacks(fit, progress, state), counter], self._steps)
        return progress

    def _start_from(self, weights: list[np.ndarray]) -> None:
        """Give the network these weights, and the optimizer no memory of the fit before."""
        for variable, value in zip(self._variables, self._fresh, strict=True):
            variable.assign(value)
        self._whole.set_weights(weights)

    def _callbacks(self, fit: Fit, progress: Progress, state: TrainingState) -> list[keras.callbacks.Callback]:
        return [
            StopWhenDiverged(progress, state),
            JudgeEpoch(progress, self._copy),
            SaveState(progress, state, fit.description),
            ReportProgress(progress),
        ]
