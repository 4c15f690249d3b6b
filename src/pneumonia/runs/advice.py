"""What is missing or was removed, and what to run to make it: the smallest registered pipelines that do."""

import shlex
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset
from kedro.pipeline import Pipeline

from pneumonia.base.errors import UserError
from pneumonia.base.files import find_entries
from pneumonia.runs.pinning import PARENTS, outputs_by_stage

# By what a run made, the first of these that it did: what usually comes next.
NEXT = {
    "adaptation_report": "--pipelines=comparison",
    "report": "--pipelines=prediction --params=images=PATH",
    "pneumonia_model": "--pipelines=evaluation",
    "study_report": "",
    "split_manifest": "--pipelines=training",
    "pixel_store": "--pipelines=training",
    "class_weights": "--pipelines=training",
}
IMAGES = ("chest_xrays", "external_images", "new_images")
RECIPE = "training_recipe"  # several models may be trained by one
MODEL = ("pneumonia_model", "model_lineage", "training_history")  # a training makes them together


def refuse_missing(names: Collection[str], catalog: Any, run_params: Mapping[str, Any], *, newest_model: bool) -> None:
    """Refuse a run that reads what was never made, or what is older than what was made last: that was removed.

    Args:
        names: Of what the run reads.
        catalog: The catalog.
        run_params: How the run was started.
        newest_model: Whether the run reads the newest model.

    Raises:
        UserError: Naming what is missing and the command that makes it.
    """
    missing = {name for name in names if not catalog.exists(name)}
    names = {PARENTS.get(name, name) for name in names}  # an adaptation reads a model under other names
    newest = _newest_model(catalog) if newest_model else ""
    of_training = outputs_by_stage()["training"]
    of_model = of_training.intersection(names) - missing - {RECIPE} if newest else set()
    older = {name for name in of_model if (catalog.get(name).resolve_load_version() or newest) < newest}
    removed = find_removed(names - missing - of_training, catalog)
    if not (lacking := missing | older | removed.keys()):
        return
    first, *rest = sorted(missing or older or removed, key=lambda name: (name != MODEL[0], name))
    of_newest = f"of the newest model ({newest})" if older else f"of version {removed.get(first)}"
    which = "yet" if missing else of_newest
    said = f"There is no {first} {which}"
    others = f", nor {', '.join(rest[:2])}{f' and {len(rest) - 2} more' if len(rest) > 2 else ''}" if rest else ""
    options = options_to_make(lacking, lambda name: name not in lacking and catalog.exists(name))
    if options is None:
        raise UserError(f"{said}{others}.")
    command = with_env(
        " ".join(["kedro run", *options, *_images_option(options, names, catalog, run_params)]), run_params
    )
    choice = ", or name an older model by --load-versions=pneumonia_model:VERSION" if older & set(MODEL) else ""
    raise UserError(f"{said}{others}; make {'them' if rest else 'it'} with: {command}{choice}.")


def options_to_make(missing: Collection[str], exists: Callable[[str], bool]) -> list[str] | None:
    """Return the options of `kedro run` that make what is missing.

    These name the smallest parts of the default run that make it, and those that make what these read in turn. Where
    the smallest part would train a network, but what is missing is only drawn from one, they name the nodes.

    Args:
        missing: Names of datasets.
        exists: Tells whether there is a dataset.

    Returns:
        The options; none of the default run makes it all; None if nothing makes it. What only pipelines beside the
        default run make is named where nothing else is missing.
    """
    whole = pipelines["__default__"]
    makers = {output: node for node in whole.nodes for output in node.outputs}
    wanted = {PARENTS.get(name, name) for name in missing} & makers.keys()
    if not wanted:
        beside = {name for name, pipeline in pipelines.items() if pipeline.all_outputs().intersection(missing)}
        return [f"--pipelines={','.join(sorted(beside))}"] if beside else None

    def is_gone(name: str) -> bool:
        return name in makers and (name in wanted or not exists(name))

    by_nodes = {
        name
        for name in wanted
        if _contains_others(_smallest(name))
        and "pneumonia_model" not in makers[name].outputs
        and not any(map(is_gone, makers[name].inputs))
    }
    chosen = {_smallest(name) for name in wanted - by_nodes}
    while more := {_smallest(name) for part in chosen for name in pipelines[part].inputs() if is_gone(name)} - chosen:
        chosen |= more
    if not chosen:
        return [f"--nodes={','.join(sorted(makers[name].name for name in by_nodes))}"]
    if set(sum((pipelines[name] for name in chosen), Pipeline([])).nodes) == set(whole.nodes):
        return []
    parts = [name for name in _parts() if name in chosen and not any(_is_part(name, of) for of in chosen)]
    return [f"--pipelines={','.join(parts)}"]


def with_env(command: str, run_params: Mapping[str, Any]) -> str:
    """Return a command for the environment of a run."""
    env = run_params.get("env")
    return command if env in (None, "local") else f"{command} --env={env}"


def _images_option(
    options: list[str], names: Collection[str], catalog: Any, run_params: Mapping[str, Any]
) -> list[str]:
    """Name the images where the advised run reads some that are not where it would look for them."""
    given = (run_params.get("runtime_params") or {}).get("images")
    read = pipeline_of(options).inputs().intersection(IMAGES)
    if given and read.intersection(names):
        return [f"--params=images={shlex.quote(str(given))}"]
    sources = [catalog.get(name) for name in read if name in catalog]
    return [] if given or all(source.finds_its_images for source in sources) else ["--params=images=PATH"]


def pipeline_of(options: Collection[str]) -> Pipeline:
    """Return what `kedro run` runs with the options that `options_to_make` returns."""
    named = dict(option.removeprefix("--").split("=") for option in options)
    if "nodes" in named:
        return pipelines["__default__"].filter(node_names=named["nodes"].split(","))
    return sum((pipelines[name] for name in named.get("pipelines", "__default__").split(",")), Pipeline([]))


def next_options(pipeline: Pipeline, *, has_model: bool) -> str:
    """Return the options of the run that usually comes after one.

    Args:
        pipeline: Of the run.
        has_model: Whether there is a model, for which a part of what a training reads may have been made again.

    Returns:
        The options; empty if none usually comes next.
    """
    made = pipeline.all_outputs()
    options = next((options for name, options in NEXT.items() if name in made), "")
    return "" if has_model and options == "--pipelines=training" else options


def _parts() -> list[str]:
    """Name the registered pipelines of which the default run consists, in their order, and the default run itself."""
    return [name for name in pipelines if name == "__default__" or _is_part(name, "__default__")]


def _smallest(dataset: str) -> str:
    """Name the smallest part of the default run that makes a dataset."""
    makers = [name for name in _parts() if dataset in pipelines[name].all_outputs()]
    return min(makers, key=lambda name: len(pipelines[name].nodes))


def _is_part(name: str, of: str) -> bool:
    return set(pipelines[name].nodes) < set(pipelines[of].nodes)


def _contains_others(name: str) -> bool:
    return any(_is_part(other, name) for other in pipelines)


def _newest_model(catalog: Any) -> str:
    """Return the newest version of which there is a model, or what a training saves with it; empty without any."""
    datasets = [catalog.get(name) for name in MODEL]
    versioned = [dataset for dataset in datasets if isinstance(dataset, AbstractVersionedDataset)]
    return max((version for one in versioned for version in one.list_versions(full_path=False)), default="")


def find_removed(names: Collection[str], catalog: Any) -> dict[str, str]:
    """Find what is read in an older version than the newest that was made.

    A run that made what a dataset is made from, and what is made from it, made the dataset too, in the same version.
    Where nothing comes before, a run that made what another first node makes began there too; and the folder that is
    left of a version tells of it. That of a run which was stopped before is not missing: nothing had been made from it.

    Args:
        names: Of datasets that a run reads.
        catalog: The catalog.

    Returns:
        The version that was removed, by name; nothing of datasets whose version was named.
    """
    versions = cache(lambda name: _versions(catalog.get(name)))
    found = {}
    for name in names:
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None or dataset._version.load:
            continue
        folders = {folder.name for folder in find_entries(Path(dataset._filepath))}
        made: set[str] = set()
        for pipeline in pipelines.values():
            if name in pipeline.all_outputs():
                earlier = pipeline.to_outputs(name)
                if earlier.all_outputs() == {name}:
                    earlier = pipeline.filter(node_names=[node.name for node in pipeline.grouped_nodes[0]])
                parts = (earlier, pipeline.from_inputs(name))
                before, after = (set().union(*map(versions, part.all_outputs() - {name})) for part in parts)
                made |= (before | folders) & after
        newest = max(made, default="")
        if newest > max(versions(name), default=""):
            found[name] = newest
    return found


def _versions(dataset: Any) -> frozenset[str]:
    """Return the versions of a dataset, none of one that keeps none."""
    if not isinstance(dataset, AbstractVersionedDataset) or dataset.resolve_save_version() is None:
        return frozenset()
    return frozenset(dataset.list_versions(full_path=False))
