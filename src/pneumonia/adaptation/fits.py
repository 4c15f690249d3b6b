"""The fits of an adaptation: those that show what it does, and the last one, which is the model."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pneumonia.adaptation.plan import HELD_OUT, NEW, TEST, TRAIN, VAL, balance, list_draws, mix, size_of
from pneumonia.base.annotations import Floats, Model
from pneumonia.base.parameters import AdaptationParameters, Parameters
from pneumonia.base.text import Labelled
from pneumonia.metrics.breakdowns import auc_of
from pneumonia.metrics.registry import in_columns
from pneumonia.model.checkpoint import TrainingStates, describe_training, key_of
from pneumonia.model.hardware import choose_hardware
from pneumonia.model.lineage import Lineage, manifest_digest
from pneumonia.model.predict import open_pixels, predict_stored
from pneumonia.model.recipe import Recipe
from pneumonia.pixels.store import PixelStores, pixel_keys

if TYPE_CHECKING:
    from pneumonia.adaptation.bench import Bench

WATCHED = 256  # own validation images that are judged after each epoch, for the history
NUMBERS = 1000  # more than fits: the state of a fit's second network is numbered from here
# Momentum of the average of the weights on the learning curve. With that of a training, 0.99, a third of the average
# would still be the parent's after so few steps: on 484 adults, the AUC was 0.03 to 0.04 lower.
CURVE_AVERAGING = 0.9
SCORED = ["path", "sha256", "bits", "group", "label", "target", "fold"]


class CurveNetwork(Labelled):
    """Which network a row of the learning curve is of: a short one sees no own images, by `make_curve_recipe`."""

    BEFORE = "before", "before"
    SHORT = "short", "short training"
    ADAPTED = "adapted", "adapted as the model was"


class Adapted(NamedTuple):
    """What comes of an adaptation.

    Attributes:
        model: The adapted model; float32, not compiled.
        facts: Entries for the lineage: `training_key`, `hardware`, `compilation`, `kept_epochs`, `training`.
        history: One row per epoch and member of the last fit.
        scores: `SCORED` of the new place's images, and their probability `before` and `after`: from a network that was
            adapted without their group.
        curve: network (`CurveNetwork`), draw, fold, groups, images, auc, low and high: the AUC on a fold after adapting
            to that many groups.
    """

    model: Model
    facts: dict[str, Any]
    history: pd.DataFrame
    scores: pd.DataFrame
    curve: pd.DataFrame


@dataclass
class Fits:
    """Fits of one adaptation, numbered so that each finds its state again.

    Attributes:
        plan: For what each image is used.
        parameters: How an epoch is put together.
        bench: The network.
        states: Where unfinished fits are kept.
        description: Everything that the results depend on.
        total: How many fits there will be.
        size: How many own images and images of the place an epoch has.
        done: How many were made.
    """

    plan: pd.DataFrame
    parameters: AdaptationParameters
    bench: "Bench"
    states: TrainingStates
    description: dict[str, Any]
    total: int
    size: tuple[int, int]
    done: int = 0

    def adapt_to(self, new: pd.DataFrame, name: str, watched: pd.DataFrame | None = None) -> pd.DataFrame:
        """Adapt the network to images.

        Args:
            new: Images of the new place.
            name: For messages.
            watched: Images that are judged meanwhile; they choose nothing. By default some of the own validation
                images, which show what is forgotten.

        Returns:
            The history.
        """
        from pneumonia.adaptation.bench import Fit

        self.done += 1
        own, val = (self.plan[self.plan["split"] == split] for split in (TRAIN, VAL))
        mixture = mix(own, new, self.size, self.parameters)
        if watched is None:
            watched = val.sample(min(WATCHED, len(val)), random_state=self.parameters.seed) if len(val) else new
        key = key_of(self.description)
        return self.bench.fit(
            Fit(
                label=f"fit {self.done} of {self.total} ({name})",
                mixture=mixture,
                class_weights=balance(mixture),
                val=watched,
                states=[self.states.of(key, n * NUMBERS + self.done) for n in range(self.bench.size)],
                description=self.description,
            )
        )


def adapt(
    parent_model: Model,
    parent_lineage: Lineage,
    adaptation_plan: pd.DataFrame,
    adaptation_pixels: PixelStores,
    training_state: TrainingStates,
    parameters: dict[str, Any],
) -> Adapted:
    """Adapt the model: to all folds but one, in turn; to all images of the new place; and to fewer groups.

    Raises:
        UserError: If interrupted, out of memory or diverged. The same command resumes.
    """
    from pneumonia.adaptation.bench import Bench
    from pneumonia.model.hardware import drop_failing_xla
    from pneumonia.pixels.batches import steps_per_epoch

    given = Parameters.model_validate(parameters)
    recipe, batch_size = make_recipe(parent_lineage, given), given.evaluation.batch_size
    chosen = choose_hardware(recipe.training.device, recipe.training.precision, recipe.training.deterministic)
    hardware = drop_failing_xla(chosen, parent_model)
    store = open_pixels(adaptation_pixels, parent_lineage)
    draws = list(list_draws(adaptation_plan, given.adaptation)) if given.adaptation.learning_curve else []
    description = {
        **describe_training(recipe, manifest_digest(adaptation_plan), store.fingerprint, hardware.policy),
        "start": parent_lineage["weights_sha256"],
        **given.adaptation.model_dump(mode="json", exclude={"interval_width"}),
    }
    size, batch = size_of(adaptation_plan, given.adaptation), recipe.training.batch_size
    steps = steps_per_epoch(sum(size), batch)
    mirror = parent_lineage.get("mirror_averaged", False)
    set_up = partial(Bench, parent_model, store=store, hardware=hardware, mirror=mirror)
    with training_state.owned(description) as key:
        bench, total = set_up(recipe, steps=steps), given.adaptation.folds + 1 + len(draws)
        fits = Fits(adaptation_plan, given.adaptation, bench, training_state, description, total, size)
        before = predict_stored(parent_model, store, pixel_keys(_new(adaptation_plan)), batch_size)
        scores = _cross_fit(fits, before, batch_size)
        history = _fit_all(fits, scores, batch_size)
        if draws:
            fits.size = (0, max(given.adaptation.curve_images, *(len(images) for *_, images in draws)))
            fits.bench = set_up(make_curve_recipe(recipe), steps=steps_per_epoch(fits.size[1], batch))
        curve = _draw_curve(fits, draws, scores, batch_size)
    facts = {"training_key": key, "hardware": hardware.record(), **_describe(recipe, steps, bench.size)}
    return Adapted(bench.model, facts, history, scores, curve)


def _fit_all(fits: Fits, scores: pd.DataFrame, batch_size: int) -> pd.DataFrame:
    """Adapt to all images, judge those that are held out, and return the history."""
    history = fits.adapt_to(fits.plan[fits.plan["split"] == NEW], "all images")
    held_out = scores["fold"] == HELD_OUT
    if held_out.any():
        scores.loc[held_out, "after"] = fits.bench.predict(pixel_keys(scores[held_out]), batch_size)
    return history


def _describe(recipe: Recipe, steps: int, networks: int) -> dict[str, Any]:
    """Return how the networks were adapted, for the lineage; the loss is that of the two classes."""
    from pneumonia.model.compiling import describe_compilation

    return {
        "compilation": describe_compilation(recipe.model_copy(update={"etiologies": ()}), steps),
        "kept_epochs": [recipe.training.epochs] * networks,
        "training": recipe.training.model_dump(mode="json"),
    }


def make_recipe(lineage: Lineage, given: Parameters) -> Recipe:
    """Return the recipe: the parent's network, members, target, images and etiologies; the rest as it is set."""
    # The place's own style is there to be learned: mixed with the own one, the AUC on 484 adults was 0.009 lower.
    augmentation = given.inputs.augmentation.model_copy(update={"histogram": 0.0, "spectrum": 0.0})
    kept = {name: lineage[name] for name in ("image_size", "resize")} | {"augmentation": augmentation}
    adaptation, training = given.adaptation, lineage["training"]
    changed = {
        # What the parent is does not follow what is set now.
        "members": training.get("members", 1),
        "target": training.get("target", given.training.target),
        "seed": adaptation.seed,
        "epochs": adaptation.epochs,
        "learning_rate": adaptation.learning_rate,
        "decay": "cosine",
        "warmup_epochs": 0.0,
        "tolerance": 1.0,  # the last epoch is kept: no image is left to choose one by
        "monitor": "val_auc",
        "patience": adaptation.epochs,
        "image_scale": training.get("image_scale", given.training.image_scale),
    }
    return Recipe(
        inputs=given.inputs.model_copy(update=kept),
        model=given.model.model_copy(update={"name": lineage["model"]["name"], "weights": "none"}),
        training=given.training.model_copy(update=changed),
        class_weights={},
        etiologies=tuple(lineage["etiologies"]),
    )


def make_curve_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe of the networks on the learning curve: one epoch, and an average over its last steps."""
    training = recipe.training
    averaging = min(training.weight_averaging, CURVE_AVERAGING)
    changed = {"epochs": 1, "weight_averaging": averaging}
    return recipe.model_copy(update={"training": training.model_copy(update=changed)})


def _new(plan: pd.DataFrame) -> pd.DataFrame:
    return plan[plan["split"].isin([NEW, TEST])]


def _cross_fit(fits: Fits, before: Any, batch_size: int) -> pd.DataFrame:
    """Judge each fold by a network that was adapted to the others."""
    new = _new(fits.plan)
    scores = new[SCORED].assign(before=before, after=float("nan"))
    for fold in range(1, fits.parameters.folds + 1):
        fits.adapt_to(new[~new["fold"].isin([fold, HELD_OUT])], f"fold {fold} of {fits.parameters.folds}")
        judged = scores["fold"] == fold
        scores.loc[judged, "after"] = fits.bench.predict(pixel_keys(scores[judged]), batch_size)
    return scores.reset_index(drop=True)


def _draw_curve(
    fits: Fits, draws: list[tuple[int, int, int, pd.DataFrame]], scores: pd.DataFrame, batch_size: int
) -> pd.DataFrame:
    """Measure the AUC on a fold after adapting to more and more of the other groups, before, and as it was adapted."""
    rows = []
    for draw, fold, n_groups, images in draws:
        fits.adapt_to(images, f"{n_groups} groups, draw {draw}", fits.plan[fits.plan["fold"] == fold])
        judged = scores[scores["fold"] == fold]
        probability = fits.bench.predict(pixel_keys(judged), batch_size)
        rows.append(_point(CurveNetwork.SHORT, draw, fold, images) | _auc(judged, probability))
    for draw, fold in dict.fromkeys((draw, fold) for draw, fold, *_ in draws):
        judged, others = scores[scores["fold"] == fold], scores[~scores["fold"].isin([fold, HELD_OUT])]
        for network, seen, column in (
            (CurveNetwork.BEFORE, others.iloc[:0], "before"),
            (CurveNetwork.ADAPTED, others, "after"),
        ):
            rows.append(_point(network, draw, fold, seen) | _auc(judged, judged[column].to_numpy()))
    table = pd.DataFrame(rows, columns=["network", "draw", "fold", "groups", "images", "auc", "low", "high"])
    return table.sort_values(["draw", "groups"], kind="stable", ignore_index=True)


def _point(network: CurveNetwork, draw: int, fold: int, seen: pd.DataFrame) -> dict[str, Any]:
    groups = seen["group"].nunique()
    return {"network": network.value, "draw": draw, "fold": fold, "groups": groups, "images": len(seen)}


def _auc(judged: pd.DataFrame, probability: Floats) -> dict[str, Any]:
    return in_columns(auc_of(judged, probability), "auc", bounds="")
