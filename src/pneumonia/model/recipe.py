"""What determines a training besides its images: typed parameters, and what follows from them and the split."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import pandas as pd
from pydantic import Field

from pneumonia.base.contract import TypedContract
from pneumonia.base.data_parameters import Group
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import ImbalanceParameters, InputsParameters, ModelParameters, TrainingParameters
from pneumonia.images.grouping import UNKNOWN_ETIOLOGY
from pneumonia.images.sites import SITE, cells_of
from pneumonia.model.networks import LEAST_SIZE, MODEL_SUFFIX, NETWORKS, NO_WEIGHTS, check_name
from pneumonia.model.start import find_start

LEAST_KINDS = 2  # etiologies; with fewer, there is nothing to tell apart


class Recipe(Group):
    """How a network is trained: a record that JSON can hold.

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
    etiologies: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @property
    def training_size(self) -> int:
        """Side of the images that the network is trained on, before the last epochs, pixels."""
        return round(self.training.image_scale * self.inputs.image_size)

    @property
    def sizes(self) -> list[int]:
        """Side of the images in each epoch, pixels: `training_size`, and in the last epochs `inputs.image_size`."""
        epochs = self.training.epochs
        last = round(self.training.full_size * epochs)
        return [self.training_size] * (epochs - last) + [self.inputs.image_size] * last

    def of_member(self, number: int) -> "Recipe":
        """Return the recipe of one of several networks, counted from 0: each has its own seed."""
        seed = self.training.seed + number
        return self.model_copy(update={"training": self.training.model_copy(update={"seed": seed})})


def make_recipe(
    split_manifest: pd.DataFrame,
    class_weights: dict[str, float],
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
    trained_models: Mapping[str, Path] | None = None,
) -> Recipe:
    """Put together the recipe, and refuse one that cannot work before anything is trained.

    Args:
        split_manifest: One row per image.
        class_weights: Weight of a training image in the loss, by label.
        inputs: Size, decoding and augmentation of the images.
        model: Which network.
        training: The rest.
        trained_models: Files of models by version, where the training may start from one of them.

    Raises:
        UserError: Naming the parameter, or the class weights that belong to another split.
    """
    check_class_weights(class_weights, split_manifest)
    etiologies = choose_etiologies(split_manifest, training.target)
    model = model.model_copy(update={"weights": find_start(model.weights, trained_models)})
    recipe = Recipe(inputs=inputs, model=model, training=training, class_weights=class_weights, etiologies=etiologies)
    check_name(model.name)
    network = NETWORKS[model.name]
    if model.weights != NO_WEIGHTS and not network.application and not model.weights.endswith(MODEL_SUFFIX):
        raise UserError(
            f"There are no pretrained weights for {model.name}: set model.weights to none, or to the version or the "
            f"path of a model of this project (*{MODEL_SUFFIX})."
        )
    if not network.any_size and training.image_scale != 1:
        raise UserError(f"{model.name} takes images of only one size: set training.image_scale to 1.")
    if recipe.training_size < LEAST_SIZE:
        raise UserError(
            f"Training images would have {recipe.training_size} px: inputs.image_size times training.image_scale must "
            f"be {LEAST_SIZE} or more."
        )
    return recipe


def check_class_weights(class_weights: dict[str, float], split_manifest: pd.DataFrame) -> None:
    """Refuse class weights that were computed on another split.

    The weights ``n / (2 n_c)`` of a split, like the weights 1, give its training images the mean weight 1. Those of
    a split with another share of positives do not.

    Raises:
        UserError: Naming the mean weight.
    """
    cells = cells_of(split_manifest[split_manifest["split"] == "train"])
    mean = cells.map(class_weights).mean(skipna=False)
    if not math.isclose(mean, 1, rel_tol=1e-6):
        raise UserError(
            f"The class weights {class_weights} do not belong to this split: the mean weight of its training images "
            f"would be {mean:.4g}, not 1. Compute them with kedro run --pipelines=imbalance (with the same "
            "--load-versions), or name their version by --load-versions=split_manifest:VERSION,class_weights:VERSION."
        )


def choose_etiologies(split_manifest: pd.DataFrame, target: str) -> tuple[str, ...]:
    """Return the kinds of positives that a network is to distinguish, by name; none for only the two classes.

    Args:
        split_manifest: One row per image.
        target: `training.target`: etiology, class or auto. With several sites, etiologies need to be known at one; at
            the others, a positive counts as any kind.

    Raises:
        UserError: If etiologies are requested but unknown.
    """
    positives = split_manifest[(split_manifest["split"] == "train") & (split_manifest["target"] == 1)]
    counts = positives["etiology"].value_counts()
    kinds = tuple(sorted(str(kind) for kind in counts.index if kind != UNKNOWN_ETIOLOGY))
    known = positives[positives["etiology"] != UNKNOWN_ETIOLOGY]
    # Of one place they are known, of another they need not be: what is unknown counts as any of the kinds.
    unknown = positives[~positives[SITE].isin(known[SITE])] if SITE in positives else positives[:0]
    is_known = len(known) + len(unknown) == len(positives) and len(kinds) >= LEAST_KINDS
    if target == "class" or (target == "auto" and not is_known):
        return ()
    if not is_known:
        raise UserError(
            f"training.target is etiology, but the etiology of {counts.get(UNKNOWN_ETIOLOGY, 0):,} of "
            f"{len(positives):,} positive training images is unknown, and there are {len(kinds)} kinds. Set it to "
            "class, or give all of them an etiology."
        )
    return kinds


def weigh_classes(class_counts: pd.DataFrame, parameters: ImbalanceParameters) -> dict[str, float]:
    """Weigh each class in inverse proportion to its number of training images.

    The weight of class c is ``n / (2 n_c)``, so that both classes weigh the same in sum and the mean weight
    of a training image is 1. With 100 images of NORMAL and 300 of PNEUMONIA: 2.0 and 0.6667.

    With several sites, class c of site s weighs ``w_s / (2 n_sc)``: the classes are balanced within each site, so that
    the site says nothing about the class. ``w_s`` is the site's share of all images, ``n / k`` for each of k sites
    ("equal") or its own number ``n_s`` ("by_size").

    Args:
        class_counts: Columns split, label, images and, if there are several, site.
        parameters: ``treatment`` "none" gives all images the weight 1; ``sites`` says what the sites weigh.

    Returns:
        Weight by label; with several sites by site and label, as `cells_of` names them.

    Raises:
        UserError: If a site has training images of only one class: its images would tell the class by their site.
    """
    train = class_counts[class_counts["split"] == "train"]
    images = train.set_index(cells_of(train))["images"]
    if parameters.treatment == "none":
        return {str(cell): 1.0 for cell in images.index}
    if SITE not in train:
        return {str(label): float(images.sum() / (2 * n)) for label, n in images.items()}
    by_site = train.groupby(SITE)["images"].agg(["sum", "size"])
    if (by_site["size"] < 2).any():
        raise UserError(
            f"Site {by_site['size'].idxmin()} has training images of only one class, so a network could learn the site "
            "instead of the disease. Add images of the other class, or leave the site out."
        )
    shares = by_site["sum"] if parameters.sites == "by_size" else by_site["sum"] * 0 + images.sum() / len(by_site)
    weights = train[SITE].map(shares).to_numpy() / (2 * images.to_numpy())
    return {str(cell): float(weight) for cell, weight in zip(images.index, weights, strict=True)}


class RecipeContract(TypedContract):
    """Gives a recipe that was saved its types again.

    Example:
    ```yaml
    training_recipe:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/training_recipe.json
      validator: pneumonia.model.recipe.RecipeContract
    ```
    """

    name: ClassVar[str] = "record training_recipe"
    layout = Recipe
    remedy: ClassVar[str] = "or make it again: kedro run --from-nodes=training.make_recipe"
