"""Which versions a run reads and writes.

It reads its own outputs and, if it names a model, what belongs to that model: the split, the class weights, the
history, and its newest evaluation.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, Version
from kedro.pipeline import Pipeline

from pneumonia.base.errors import UserError
from pneumonia.base.files import sha256_of_file
from pneumonia.model.lineage import Lineage, LineageContract, check_lineage

logger = logging.getLogger(__name__)

# What an adaptation reads of the model that it starts from, and under which names it was written.
PARENT = "parent_model"
PARENTS = {PARENT: "pneumonia_model", "parent_lineage": "model_lineage", "parent_decision": "decision"}
# Records that name their model: whoever uses them compares it with the model.
CARRY_THEIR_MODEL = {"checked_lineage", "decision", "image_range"}


def check_load_versions(load_versions: dict[str, str], pipeline: Pipeline, catalog: Any) -> None:
    """Refuse versions that Kedro would silently ignore, or that do not exist.

    Raises:
        UserError: Naming the dataset and the existing versions.
    """
    for name, version in load_versions.items():
        if name in pipeline.all_outputs():
            raise UserError(
                f"This run makes {name} again, so version {version} of it cannot be loaded. Leave out the nodes that "
                "make it, for example by --tags=training or --tags=evaluation."
            )
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or dataset.resolve_load_version() is None:
            raise UserError(f"{name} has no versions: leave it out of --load-versions.")
        # A model that is named brings what belongs to it, though the run may not read the model itself.
        if name not in pipeline.inputs() | {"pneumonia_model"}:
            raise UserError(f"This run does not read {name}: leave it out of --load-versions.")
        if not catalog.exists(name):
            known = ", ".join(dataset.list_versions(full_path=False)[:3]) or "none"
            raise UserError(f"There is no version {version} of {name}. The newest: {known}.")


def pin_outputs(pipeline: Pipeline, catalog: Any) -> None:
    """Let the run read its own outputs. Kedro would read the newest, which a simultaneous run may have made.

    If only missing outputs are made, existing ones are found and read by Kedro's rule.
    """
    for name in pipeline.all_outputs():
        dataset = catalog.get(name)
        if is_versioned(dataset):
            version = dataset.resolve_save_version()
            pin(dataset, Version(version, version))


def pin_companions(given: dict[str, str], pipeline: Pipeline, catalog: Any) -> None:
    """Let a run that names a model read what belongs to that model, not the newest of everything else.

    Raises:
        UserError: If something that the run reads is missing.
    """
    stages, model = outputs_by_stage(), given["pneumonia_model"]
    companions = find_companions(catalog, stages, model)
    for name in sorted(pipeline.inputs() & companions.keys() - given.keys()):
        if companions[name] not in files_of(catalog, name):
            advice = (
                f"Evaluate that model again: kedro run --pipelines=evaluation --load-versions=pneumonia_model:{model}."
                if name in stages["evaluation"]
                else "Another version may not match this model. If you know one that does, name it with "
                f"--load-versions=pneumonia_model:{model},{name}:VERSION."
            )
            raise UserError(
                f"Version {companions[name]} of {name}, which belongs to the model {model}, is missing. {advice}"
            )
        pin(catalog.get(name), Version(companions[name], None))


def name_parent(given: dict[str, str], pipeline: Pipeline, catalog: Any) -> dict[str, str]:
    """Return load versions in which the model that an adaptation starts from has the name under which it is read."""
    if PARENT not in pipeline.inputs() or "pneumonia_model" not in given:
        return given
    version = given["pneumonia_model"]
    pin(catalog.get(PARENT), Version(version, None))
    return {PARENT: version, **{name: other for name, other in given.items() if name != "pneumonia_model"}}


def pin_parent(given: dict[str, str], pipeline: Pipeline, catalog: Any) -> None:
    """Let an adaptation read the model that it starts from, and what belongs to it, whatever the run itself writes.

    Args:
        given: May name the `parent_model`; the newest model otherwise.
        pipeline: Of the run; nothing is done unless it reads a `parent_model`.
        catalog: The catalog.

    Raises:
        UserError: If the model was never evaluated.
    """
    if PARENT not in pipeline.inputs() or not (models := files_of(catalog, "pneumonia_model")):
        return
    version = given.get(PARENT) or next(iter(models))
    companions = find_companions(catalog, outputs_by_stage(), version)
    if "decision" not in companions:
        raise UserError(
            f"The model {version} was never evaluated. Evaluate it: kedro run --pipelines=evaluation "
            f"--load-versions=pneumonia_model:{version}."
        )
    read = {name: name for name in pipeline.inputs() & companions.keys()} | PARENTS
    for name, made_as in read.items():
        if name not in given:
            pin(catalog.get(name), Version(companions[made_as], None))


def refuse_mixture(names: set[str], catalog: Any) -> None:
    """Refuse to read results of several models together, as a report would after half an evaluation.

    Every evaluation begins with `checked_lineage`, which names its model: what was saved from then on, until the next
    one, belongs to that model.

    Args:
        names: Of the evaluation's datasets that a run reads, and `model_lineage` if it does.
        catalog: The catalog.

    Raises:
        UserError: Naming a dataset of each of two models.
    """
    of_model: dict[str, str] = {}
    for name in sorted(names - CARRY_THEIR_MODEL):
        model = _find_model(catalog, name)
        if model:
            of_model.setdefault(model, name)
    if len(of_model) > 1:
        first, second, *_ = of_model.values()
        raise UserError(
            f"The newest {first} and the newest {second} belong to two models. Evaluate the newest model as a whole "
            "(kedro run --pipelines=evaluation), or name one by --load-versions=pneumonia_model:VERSION."
        )


def refuse_other_split(names: set[str], catalog: Any) -> None:
    """Refuse to read the newest tables about the split together with results that were made on another one.

    Args:
        names: Of the datasets that a run reads.
        catalog: The catalog.

    Raises:
        UserError: Naming both manifests.
    """
    stages = outputs_by_stage()
    about_split = names & (stages["ingest"] | stages["imbalance"]) - {"split_manifest"}  # its readers check it
    if about_split and names & stages["evaluation"]:
        check_lineage(catalog.load("checked_lineage"), catalog.load("split_manifest"))


def _find_model(catalog: Any, name: str) -> str | None:
    """Return the digest of the model to which the version that is read belongs; None if no record names it."""
    dataset = catalog.get(name)
    version = dataset.resolve_load_version() if is_versioned(dataset) else None
    source = "model_lineage" if name == "model_lineage" else "checked_lineage"
    before = [known for known in files_of(catalog, source) if version and known <= version]
    if not before:
        return None
    return LineageContract().validate(load_version(catalog, source, before[0])).get("weights_sha256")


def outputs_by_stage() -> dict[str, set[str]]:
    """Return the names of the datasets that each stage of the default run makes."""
    stages = ("ingest", "imbalance", "training", "evaluation")
    return {stage: pipelines["__default__"].only_nodes_with_tags(stage).all_outputs() for stage in stages}


def warn_of_the_clock(run_id: str, pipeline: Pipeline, catalog: Any) -> None:
    """Warn if a version is newer than this run: the newest is the last by name, and names are times."""
    for name in sorted(pipeline.all_outputs()):
        dataset = catalog.get(name)
        if isinstance(dataset, AbstractVersionedDataset):
            newest = max(dataset.list_versions(full_path=False), default="")
            if newest > run_id:
                logger.warning(
                    "The clock is behind: %s has a version %s, but this run is %s. Later runs will treat that version "
                    "as the newest. Set the clock and run again, or remove that version.",
                    name, newest, run_id,
                )  # fmt: skip
                return


def pin(dataset: AbstractVersionedDataset, version: Version) -> None:
    """Let a dataset read and write given versions.

    Kedro 1.7 has no public way to do this: load versions are given before a run has an id, and a dataset that is put
    into the catalog again loses its validator.
    """
    dataset._version = version


def find_companions(catalog: Any, outputs: Mapping[str, set[str]], model_version: str) -> dict[str, str]:
    """Find the version of each dataset that belongs to a model.

    Args:
        catalog: The catalog.
        outputs: Names of the datasets that each stage makes: ingest, imbalance, training, evaluation.
        model_version: Of `pneumonia_model`.

    Returns:
        The versions by name. Those of the evaluation come from the newest one of this model, and are left out if it was
        never evaluated.

    Raises:
        UserError: If the model has no lineage or a damaged one, or its split is missing.
    """
    lineages = files_of(catalog, "model_lineage")
    if model_version not in lineages:
        raise UserError(
            f"There is no model_lineage of version {model_version}, so it is not known what that model was made from. "
            "Name another model by --load-versions=pneumonia_model:VERSION, or train again."
        )
    lineage = LineageContract().validate(load_version(catalog, "model_lineage", model_version))
    found = dict.fromkeys(outputs["training"], model_version)
    found |= dict.fromkeys(outputs["ingest"], _find_manifest(catalog, lineage, model_version))
    if weights := lineage["versions"].get("class_weights"):
        found |= dict.fromkeys(outputs["imbalance"], weights)
    if judged := _find_judgement(catalog, lineage.get("weights_sha256", "unknown")):
        found |= dict.fromkeys(outputs["evaluation"], judged)
    return {name: version for name, version in found.items() if is_versioned(catalog.get(name))}


def is_versioned(dataset: Any) -> bool:
    """Tell whether a dataset keeps versions."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset.resolve_save_version() is not None


def files_of(catalog: Any, name: str) -> dict[str, Path]:
    """Return the file of each version of a dataset, the newest first."""
    paths = (Path(path) for path in catalog.get(name).list_versions())
    return {path.parent.name: path for path in sorted(paths, reverse=True)}


def file_of(catalog: Any, name: str) -> Path:
    """Return the file of the version of a dataset that is read."""
    return files_of(catalog, name)[catalog.get(name).resolve_load_version()]


def load_version(catalog: Any, name: str, version: str) -> Any:
    """Load one version of a dataset, and leave the dataset as it was."""
    dataset = catalog.get(name)
    former = dataset._version
    pin(dataset, Version(version, None))
    try:
        record = dataset.load()
    finally:
        pin(dataset, former)
    if not isinstance(record, dict):
        raise UserError(f"Version {version} of {name} is no record. Put it back as it was written, or remove it.")
    return record


def _find_manifest(catalog: Any, lineage: Lineage, model_version: str) -> str:
    """Return the version of the model's manifest; of several with the same content, the one of its training."""
    files = files_of(catalog, "split_manifest")
    first = lineage["versions"].get("split_manifest")
    for version in sorted(files, key=lambda version: version != first):
        if sha256_of_file(files[version]) == lineage["manifest_sha256"]:
            return version
    raise UserError(
        f"The split_manifest that the model {model_version} was trained with is missing (SHA-256 "
        f"{lineage['manifest_sha256'][:12]}...), so the model cannot be evaluated on unseen images. Train again."
    )


def _find_judgement(catalog: Any, weights_sha256: str) -> str | None:
    """Return the version of the newest decision for a model."""
    for version in files_of(catalog, "decision"):
        if load_version(catalog, "decision", version).get("weights_sha256") == weights_sha256:
            return version
    return None
