"""What a model was made from: the record saved with it, and the checks against it."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NotRequired, TypedDict

import numpy as np
import pandas as pd
from pydantic import BaseModel

from pneumonia.base.annotations import Model
from pneumonia.base.contract import RecordContract
from pneumonia.base.environment import RunContext
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.attributes import ATTRIBUTES
from pneumonia.model.recipe import Recipe
from pneumonia.pixels.decoding import Resize, fingerprint
from pneumonia.pixels.store import PixelStore

ADAPTED_COLUMNS = ("path", "sha256", "bits", "perceptual_hash", "group", "label", "target", "place", "split")


class Adaptation(TypedDict):
    """How a model was adapted to images of another place; `images` are the rows of all places, in `ADAPTED_COLUMNS`."""

    parent: str
    parent_weights_sha256: str
    place: str
    n: int
    n_groups: int
    n_positive: int
    rehearsed: int
    parameters: dict[str, Any]
    images: list[dict[str, Any]]


class Start(TypedDict):
    """The model from whose weights a training started: its version, or its path where that names none."""

    parent: str
    parent_weights_sha256: str


class Lineage(TypedDict):
    """What a model was made from. Releases add entries: those that are not required are missing from older records."""

    run_id: str
    commit: str | None
    versions: dict[str, str]
    manifest_sha256: str
    pixels: str
    image_size: int
    resize: Resize
    class_names: list[str]
    positive_class: str
    etiologies: list[str]
    class_weights: dict[str, float]
    ingest: dict[str, Any]
    inputs: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    training_key: NotRequired[str]
    hardware: NotRequired[dict[str, Any]]
    compilation: NotRequired[dict[str, Any]]
    kept_epochs: NotRequired[list[int]]
    mirror_averaged: NotRequired[bool]
    weights_sha256: NotRequired[str]
    start: NotRequired[Start]
    adaptation: NotRequired[Adaptation]


def manifest_digest(split_manifest: pd.DataFrame) -> str:
    """Return the SHA-256 of a manifest's CSV file, as ``sha256sum`` prints it for the saved file."""
    return hashlib.sha256(split_manifest.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def class_names(split_manifest: pd.DataFrame) -> list[str]:
    """Return the class names, the negative one first."""
    names = split_manifest.drop_duplicates("target").sort_values("target")["label"]
    return [str(name) for name in names]


def make_lineage(
    split_manifest: pd.DataFrame,
    store: PixelStore,
    recipe: Recipe,
    ingest: IngestParameters,
    run_context: RunContext,
) -> Lineage:
    """Return what a model is made from: run, code, manifest, pixels, classes, parameters."""
    negative, positive = class_names(split_manifest)
    return {
        "run_id": run_context["run_id"],
        "commit": run_context["commit"],
        "versions": run_context["versions"],
        "manifest_sha256": manifest_digest(split_manifest),
        "pixels": store.fingerprint,
        "image_size": recipe.inputs.image_size,
        "resize": recipe.inputs.resize,
        "class_names": [negative, positive],
        "positive_class": positive,
        "etiologies": list(recipe.etiologies),
        "class_weights": recipe.class_weights,
        "ingest": ingest.model_dump(mode="json"),
        "inputs": recipe.inputs.model_dump(mode="json"),
        "model": recipe.model.model_dump(mode="json"),
        "training": recipe.training.model_dump(mode="json"),
    }


def adapted_to(lineage: Lineage) -> pd.DataFrame:
    """Return the images of other places on which a model was trained after its own: those of all its adaptations.

    Returns:
        `ADAPTED_COLUMNS`; no row for a model that was never adapted. `split` is train, or val for those by which the
        bound of the model's range is set.
    """
    return pd.DataFrame(
        lineage["adaptation"]["images"] if "adaptation" in lineage else [], columns=list(ADAPTED_COLUMNS)
    )


def weights_digest(model: Model) -> str:
    """Return the SHA-256 of a model's weights, in their order, as little-endian bytes."""
    return digest_of_weights(model.get_weights())


def digest_of_weights(weights: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of weights, in their order, as little-endian bytes."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(np.ascontiguousarray(weight, weight.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def check_weights(record: Mapping[str, Any], model: Model, name: str) -> None:
    """Refuse a record that was made for another model.

    Args:
        record: With `weights_sha256`; one of an older release without it is refused too.
        model: The model it is to be used with.
        name: Of the record in the catalog.

    Raises:
        UserError: Naming both digests.
    """
    digest = weights_digest(model)
    made_for = str(record.get("weights_sha256", "unknown"))
    if made_for != digest:
        what, makes = ("Train", "training") if name == "model_lineage" else ("Evaluate that model", "evaluation")
        raise UserError(
            f"{name} was made for the model with the weights {made_for[:12]}, but pneumonia_model has "
            f"{digest[:12]} (the first digits of their SHA-256). {what} first: kedro run --pipelines={makes}. Or name "
            "a model that was evaluated, by --load-versions=pneumonia_model:VERSION."
        )


def check_decoder(lineage: Lineage) -> None:
    """Refuse a model whose images are now decoded differently.

    Raises:
        UserError: Naming both fingerprints.
    """
    now = fingerprint(lineage["image_size"], lineage["resize"])
    if lineage["pixels"] != now:
        raise UserError(
            f"The model was trained on pixels with the fingerprint {lineage['pixels']}, but images now get {now}: "
            "its probabilities would not hold. Install the release of Pillow used in training, or train again."
        )


def check_lineage(lineage: Lineage, split_manifest: pd.DataFrame) -> None:
    """Refuse a manifest that is not the one a model was trained with.

    With another split, images that the model was trained on would be scored as if it had never seen them. Manifests of
    earlier releases tell nothing of patients: what they tell does not split them differently.

    Raises:
        UserError: Naming both manifests.
    """
    digest = manifest_digest(split_manifest)
    if lineage["manifest_sha256"] != digest and lineage["manifest_sha256"] != manifest_digest(
        split_manifest.drop(columns=list(ATTRIBUTES), errors="ignore")
    ):
        raise UserError(
            f"The model was trained with the manifest {lineage['manifest_sha256'][:12]}, but this one is "
            f"{digest[:12]} (the first digits of their SHA-256): its images may be split differently. Name a matching "
            "pair by --load-versions=pneumonia_model:VERSION,split_manifest:VERSION, or train again."
        )


class _Lineage(BaseModel):
    versions: dict[str, Any]
    manifest_sha256: str
    pixels: str
    image_size: int
    resize: str
    class_names: list[str]


class LineageContract(RecordContract):
    """Refuses a lineage that does not say what its model was made from.

    Example:
    ```yaml
    model_lineage:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/model_lineage.json
      validator: pneumonia.model.lineage.LineageContract
    ```
    """

    name: ClassVar[str] = "record model_lineage"
    layout = _Lineage
    remedy: ClassVar[str] = "name another model by --load-versions=pneumonia_model:VERSION, or train again"
