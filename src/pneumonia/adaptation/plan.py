"""Which images an adaptation uses, and for what, and of which an epoch consists.

The plan is one table, on which every later step rests; the lineage of the adapted model lists its images. An epoch
mixes own training images with the new place's, both classes in balance.
"""

import logging
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from pneumonia.base.annotations import Model
from pneumonia.base.environment import RunContext
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.base.places import OWN, AdaptationParameters
from pneumonia.images.index import OK
from pneumonia.images.source import ImageSource
from pneumonia.metrics.operating_points import name_place
from pneumonia.model.lineage import ADAPTED_COLUMNS, Lineage, adapted_to, check_lineage, check_weights, weights_digest
from pneumonia.model.predict import open_pixels
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores, pixel_keys
from pneumonia.split.folds import grouped_folds

TRAIN, VAL, TEST, NEW = "train", "val", "test", "new"  # what an image is for

PLAN_COLUMNS = ("path", "sha256", "bits", "perceptual_hash", "group", "label", "target", "place", "split", "fold")

HELD_OUT = 0  # the fold of images that no network is adapted to
BOUND_ON = 1  # the fold whose images help to set the bound of the model's range
# How often an image of the place is shown in an epoch at most, if there are own images to show instead: repeating few
# images more often taught the network nothing and made it forget more (docs/hospitals.md).
MOST_REPEATS = 45
# What adapting without own images cost where it was measured: docs/hospitals.md.
COST = (
    "Without rehearsal, a model forgets: on the published test images, the AUC of networks that were adapted to 114 to "
    "485 adults fell from 0.99 to between 0.79 and 0.83."
)

logger = logging.getLogger(__name__)


def size_of(plan: pd.DataFrame, parameters: AdaptationParameters) -> tuple[int, int]:
    """Return the number of own images and of the place's in an epoch, the same for every fit of a plan.

    Every image of the place comes at least once and, if own images are rehearsed, at most `MOST_REPEATS` times.

    Args:
        plan: The images, with `split`.
        parameters: `images` and `rehearsal`.
    """
    share = parameters.rehearsal if (plan["split"] == TRAIN).any() else 0.0
    once, n_new = int((plan["split"] == NEW).sum()), round(parameters.images * (1 - share))
    n_new = max(min(n_new, MOST_REPEATS * once) if share else n_new, once)
    return max(round(n_new * share / (1 - share)), parameters.images - n_new), n_new


def mix(own: pd.DataFrame, new: pd.DataFrame, size: tuple[int, int], parameters: AdaptationParameters) -> pd.DataFrame:
    """Put an epoch together.

    Images are repeated until they are as many as wanted, and each repetition is changed by other draws of the
    augmentation. Every place that the model comes from has the same share of the rehearsed images.

    Args:
        own: Images that are rehearsed, with sha256, label, target and place.
        new: Images of the new place, with sha256, label, target and place.
        size: How many of each.
        parameters: `seed`.

    Returns:
        The rows, with `label` replaced by the cell: place and class.
    """
    rng = np.random.default_rng(parameters.seed)
    places = [part for _, part in own.groupby("place", sort=True)] if size[0] else []
    parts = [_repeated(part, size[0] // len(places), rng) for part in places]
    rest = size[0] - sum(map(len, parts))  # so that every fit has the same number of steps
    rows = pd.concat([*parts, _repeated(new, size[1] + rest, rng)], ignore_index=True)
    return rows.assign(label=rows["place"] + ": " + rows["label"])


def _repeated(rows: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return `n` rows in random order, each as often as any other, or once more."""
    rounds = -(-n // len(rows))
    order = np.concatenate([rng.permutation(len(rows)) for _ in range(rounds)])[:n]
    return rows.iloc[order]


def balance(mixture: pd.DataFrame) -> dict[str, float]:
    """Weight each cell so that the two classes of a place count the same, and a place as much as it has rows.

    Returns:
        `n / (2 n_c)` for each cell of a place with `n` rows, `n_c` of them in the cell; 1 where a class is missing.
    """
    counts = mixture.groupby(["place", "label"], sort=True).size()
    totals, classes = counts.groupby("place").transform("sum"), counts.groupby("place").transform("size")
    return {str(label): float(weight) for (_, label), weight in (totals / (classes * counts)).items()}


def store_new_pixels(
    external_images: ImageSource, external_files: pd.DataFrame, parent_lineage: Lineage
) -> PixelRequest:
    """Request the pixels of the new images, beside those that the model was trained on."""
    rows = external_files[external_files["status"] == OK]
    return PixelRequest(
        paths=tuple(rows["path"]),
        sha256s=tuple(rows["sha256"]),
        image_size=parent_lineage["image_size"],
        resize=parent_lineage["resize"],
        read=external_images.read,
        bits=tuple(rows["bits"]),
    )


def plan_adaptation(
    split_manifest: pd.DataFrame,
    parent_lineage: Lineage,
    external_index: pd.DataFrame,
    external_images: ImageSource,
    adaptation_pixels: PixelStores,
    parameters: dict[str, Any],
) -> pd.DataFrame:
    """Say for what each image is used.

    Images whose pixels are not stored are left out, with a warning: without own images, nothing is rehearsed.

    Returns:
        `PLAN_COLUMNS`: `split` is train or val for the model's own images and train for those of places that it was
        adapted to before, new for the others, test where the new place names test images of its own; `fold` of new
        images is counted from 1.

    Raises:
        UserError: If the manifest is not the model's, or a class has fewer groups than folds.
    """
    check_lineage(parent_lineage, split_manifest)
    given = Parameters.model_validate(parameters)
    store = open_pixels(adaptation_pixels, parent_lineage)
    own = split_manifest[split_manifest["split"].isin([TRAIN, VAL])].assign(place=OWN, perceptual_hash="")
    own["bits"] = own.get("bits", 0)
    earlier = adapted_to(parent_lineage).assign(split=TRAIN)
    known = pd.concat([own, earlier], ignore_index=True)
    stored = known[store.has(pixel_keys(known))]
    if len(stored) < len(known):
        logger.warning(
            "%s of the %s images that the model was trained and validated on are not in the pixel store, so they are "
            "not rehearsed. %s kedro run --pipelines=inputs stores those of the manifest.",
            f"{len(known) - len(stored):,}", f"{len(known):,}", COST,
        )  # fmt: skip
    new = _with_folds(external_index, parent_lineage["positive_class"], given.adaptation)
    new = new.assign(place=name_place(given.external.place, external_images.name))
    return pd.concat([stored.assign(fold=HELD_OUT), new], ignore_index=True)[list(PLAN_COLUMNS)]


def _with_folds(external_index: pd.DataFrame, positive: str, parameters: AdaptationParameters) -> pd.DataFrame:
    """Return the usable images of the new place, in folds by group; test images of the place in none."""
    rows = external_index[external_index["status"] == OK]
    rows = rows.assign(target=(rows["label"] == positive).astype(int), split=NEW, fold=HELD_OUT)
    rows = rows.sort_values("path", ignore_index=True)
    in_test = rows["group"].isin(rows.loc[rows["source_split"] == TEST, "group"])
    if in_test.all():
        in_test = ~in_test  # a folder test alone is no test
    if in_test.any():
        rows.loc[in_test, "split"] = TEST
        if min(rows.loc[part, "target"].nunique() for part in (in_test, ~in_test)) < 2:
            raise UserError(
                "The folder test of the new place, or the rest, has images of only one class. Add some, or leave out "
                "the folder: the images are then judged by cross-fitting."
            )
    folds = grouped_folds(rows[~in_test], parameters.folds, parameters.seed, "adaptation.folds")
    for number, (_, fold) in enumerate(folds, 1):
        rows.loc[fold.index, "fold"] = number
    return rows


def list_draws(plan: pd.DataFrame, parameters: AdaptationParameters) -> Iterator[tuple[int, int, int, pd.DataFrame]]:
    """Draw groups for the learning curve; the images of a larger number contain those of a smaller one.

    Each draw leaves out one fold, on which its networks are judged; its largest number is that of all other groups.
    Groups of both classes come in proportion.

    Args:
        plan: As `plan_adaptation` makes it.
        parameters: `curve_groups`, `curve_draws`, `folds` and `seed`.

    Yields:
        The draw, from 1; its fold; the number of groups; the images.
    """
    new = plan[plan["fold"] != HELD_OUT]
    for draw in range(1, parameters.curve_draws + 1):
        fold = (draw - 1) % parameters.folds + 1
        order = _in_proportion(new[new["fold"] != fold], np.random.default_rng([parameters.seed, draw]))
        for n_groups in sorted({n for n in parameters.curve_groups if n < len(order)} | {len(order)}):
            yield draw, fold, n_groups, new[new["group"].isin(order[:n_groups])]


def _in_proportion(rows: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """Return the groups in random order, each stretch of it with about the same share of groups with positives."""
    has_positives = rows.groupby("group", sort=True)["target"].max()
    places: dict[str, float] = {}
    for kind in (0, 1):
        groups = has_positives.index[has_positives == kind]
        ranks = (rng.permutation(len(groups)) + rng.random()) / max(len(groups), 1)
        places |= dict(zip(groups, ranks, strict=True))
    return sorted(places, key=places.__getitem__)


def make_adapted_lineage(
    parent_lineage: Lineage,
    pneumonia_model: Model,
    adaptation_plan: pd.DataFrame,
    adaptation_facts: dict[str, Any],
    run_context: RunContext,
    parameters: AdaptationParameters,
) -> Lineage:
    """Return the parent's lineage with what differs; `adaptation` names the parent, the place and its images.

    Split, classes, image size and etiologies are the parent's: so the model is evaluated on the parent's test images.
    """
    new = adaptation_plan[adaptation_plan["split"] == NEW]
    images = new.assign(split=(new["fold"] == BOUND_ON).map({True: "val", False: "train"}))
    versions = {**parent_lineage["versions"], **run_context["versions"]}
    return {
        **parent_lineage,
        "run_id": run_context["run_id"],
        "commit": run_context["commit"],
        "versions": versions,
        **cast(Lineage, adaptation_facts),
        "weights_sha256": weights_digest(pneumonia_model),
        "adaptation": {
            "parent": versions["parent_model"],
            "parent_weights_sha256": parent_lineage["weights_sha256"],
            "place": str(new["place"].iloc[0]),
            "n": len(new),
            "n_groups": int(new["group"].nunique()),
            "n_positive": int(new["target"].sum()),
            "rehearsed": int((adaptation_plan["split"] == TRAIN).sum()) if parameters.rehearsal else 0,
            "parameters": parameters.model_dump(mode="json"),
            "images": pd.concat([adapted_to(parent_lineage), images])[list(ADAPTED_COLUMNS)].to_dict("records"),
        },
    }


def check_adapted(pneumonia_model: Model, model_lineage: Lineage) -> Lineage:
    """Return the lineage of an adapted model, which marks that what follows belongs to this model.

    Raises:
        UserError: If it is that of another model.
    """
    check_weights(model_lineage, pneumonia_model, "model_lineage")
    return model_lineage
