"""What determines a training besides its images: typed parameters, and what follows from them and the split."""

from dataclasses import dataclass, replace

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import InputsParameters, ModelParameters, Parameters, TrainingParameters
from pneumonia.images.grouping import UNKNOWN_ETIOLOGY
from pneumonia.model.networks import LEAST_SIZE, NETWORKS, NO_WEIGHTS, check_name

LEAST_KINDS = 2  # etiologies; with fewer, there is nothing to tell apart


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes:
        inputs: Size, decoding and augmentation of the images.
        model: Which network, and from which weights it starts.
        training: The rest.
        class_weights: Weight of a training image in the loss, by label.
        etiologies: The kinds of positives that it learns to distinguish; none: it learns the two classes.
    """

    inputs: InputsParameters
    model: ModelParameters
    training: TrainingParameters
    class_weights: dict[str, float]
    etiologies: tuple[str, ...] = ()

    @property
    def training_size(self) -> int:
        """Side of the images that the network is trained on, pixels."""
        return round(self.training.image_scale * self.inputs.image_size)

    def of_member(self, number: int) -> "Recipe":
        """Return the recipe of one of several networks, counted from 0: each has its own seed."""
        seed = self.training.seed + number
        return replace(self, training=self.training.model_copy(update={"seed": seed}))


def make_recipe(parameters: Parameters, class_weights: dict[str, float], split_manifest: pd.DataFrame) -> Recipe:
    """Put together the recipe, and refuse one that cannot work before anything is trained.

    Raises:
        UserError: Naming the parameter.
    """
    inputs, model, training = parameters.inputs, parameters.model, parameters.training
    etiologies = choose_etiologies(split_manifest, training.target)
    recipe = Recipe(inputs, model, training, class_weights, etiologies)
    check_name(model.name)
    network = NETWORKS[model.name]
    if model.weights != NO_WEIGHTS and not network.application:
        raise UserError(f"There are no pretrained weights for {model.name}: set model.weights to none.")
    if not network.any_size and training.image_scale != 1:
        raise UserError(f"{model.name} takes images of only one size: set training.image_scale to 1.")
    if recipe.training_size < LEAST_SIZE:
        raise UserError(
            f"Training images would have {recipe.training_size} px: inputs.image_size times training.image_scale must "
            f"be {LEAST_SIZE} or more."
        )
    return recipe


def choose_etiologies(split_manifest: pd.DataFrame, target: str) -> tuple[str, ...]:
    """Return the kinds of positives that a network is to distinguish, by name; none for only the two classes.

    Args:
        split_manifest: One row per image.
        target: `training.target`: etiology, class or auto.

    Raises:
        UserError: If etiologies are requested but unknown.
    """
    positives = split_manifest[(split_manifest["split"] == "train") & (split_manifest["target"] == 1)]
    counts = positives["etiology"].value_counts()
    kinds = tuple(sorted(str(kind) for kind in counts.index if kind != UNKNOWN_ETIOLOGY))
    is_known = UNKNOWN_ETIOLOGY not in counts.index and len(kinds) >= LEAST_KINDS
    if target == "class" or (target == "auto" and not is_known):
        return ()
    if not is_known:
        raise UserError(
            f"training.target is etiology, but the etiology of {counts.get(UNKNOWN_ETIOLOGY, 0):,} of "
            f"{len(positives):,} positive training images is unknown, and there are {len(kinds)} kinds. Set it to "
            "class, or give all of them an etiology."
        )
    return kinds
