"""Runs that refuse unknown names before anything is read."""

import difflib
from collections.abc import Collection, Mapping
from inspect import signature
from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from pneumonia.base.errors import UserError
from pneumonia.datasets.errors import plainly

# The options of `kedro run` that select nodes, by their names in `Pipeline.filter`, and the kind of name each takes.
_OPTIONS = {
    "tags": ("--tags", "tag"),
    "node_names": ("--nodes", "node"),
    "from_nodes": ("--from-nodes", "node"),
    "to_nodes": ("--to-nodes", "node"),
    "from_inputs": ("--from-inputs", "input"),
    "to_outputs": ("--to-outputs", "dataset"),
    "namespaces": ("--namespaces", ""),
}

_SHOWN = 12


class PlainSession(KedroSession):
    """A session whose runs end with one sentence if a pipeline, node, tag or dataset does not exist."""

    @plainly
    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run as `KedroSession.run` does.

        Raises:
            UserError: If the selection names something that does not exist, or leaves nothing to run.
        """
        refuse_unknown(signature(KedroSession.run).bind(self, *args, **kwargs).arguments)
        return super().run(*args, **kwargs)


def refuse_unknown(selection: Mapping[str, Any]) -> None:
    """Refuse names that no pipeline has, and selections without nodes.

    Args:
        selection: Arguments of `KedroSession.run`.

    Raises:
        UserError: With the nearest existing names.
    """
    names = selection.get("pipeline_names") or [selection.get("pipeline_name") or "__default__"]
    for name in names:
        if name not in pipelines:
            raise UserError(f"There is no pipeline {name}. {_nearest(name, pipelines.keys() - {'__default__'})}")
    for name in selection.get("load_versions") or {}:
        datasets = set().union(*(_names(pipeline, "dataset") for pipeline in pipelines.values()))
        if name not in datasets:
            raise UserError(f"There is no dataset {name} to load a version of. {_nearest(name, datasets)}")
    chosen = sum((pipelines[name] for name in names), Pipeline([]))
    given = {argument: list(selection[argument]) for argument in _OPTIONS if selection.get(argument)}
    for argument, wanted in given.items():
        option, kind = _OPTIONS[argument]
        for name in wanted:
            if kind and name not in _names(chosen, kind):
                raise UserError(
                    f"{option}: there is no {kind} {name} in {_called(names)}. "
                    + (_home(name, kind) or _nearest(name, _names(chosen, kind)))
                )
    _refuse_empty(chosen, given)


def _refuse_empty(chosen: Pipeline, given: Mapping[str, list[str]]) -> None:
    """Refuse options that together select no node."""
    try:
        chosen.filter(**{("node_namespaces" if key == "namespaces" else key): names for key, names in given.items()})
    except ValueError as error:  # the only cause left: all names are known
        options = " ".join(f"{_OPTIONS[argument][0]}={','.join(names)}" for argument, names in given.items())
        raise UserError(f"Nothing to run: no node is selected by {options}.") from error


def _called(names: Collection[str]) -> str:
    """Put the chosen pipelines in words."""
    return "the default run" if "__default__" in names else ", ".join(names)


def _home(name: str, kind: str) -> str:
    """Say which pipeline has a name; empty if none has."""
    homes = [home for home, pipeline in pipelines.items() if name in _names(pipeline, kind)]
    return f"It is in --pipelines={homes[0]}." if homes else ""


def _names(pipeline: Pipeline, kind: str) -> set[str]:
    """Return the names of one kind in a pipeline."""
    if kind == "tag":
        return {tag for node in pipeline.nodes for tag in node.tags}
    if kind == "node":
        return {node.name for node in pipeline.nodes}
    if kind == "input":
        return pipeline.datasets()
    return {name for name in pipeline.datasets() if not name.startswith("param")}


def _nearest(name: str, known: Collection[str]) -> str:
    """Suggest similar names, or list a few known names if none is similar.

    A node is also found by its last part, `split_images` for `ingest.split_images`.
    """
    names = sorted(known)
    near = [full for full in names if full.endswith(f".{name}")] or difflib.get_close_matches(name, names)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Known: {', '.join(names[:_SHOWN])}{more}."
