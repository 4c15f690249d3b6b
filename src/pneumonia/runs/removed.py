"""Versions that a run made and somebody removed since, in whose place an older one would be read."""

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset
from kedro.pipeline import Node, Pipeline


def find_removed(names: Collection[str], catalog: Any) -> dict[str, str]:
    """Find what is read in an older version than the newest that was made.

    A run that made what a dataset is made from, and what is made from it, made the dataset too, in the same version.
    That of a run which was stopped before is not missing: nothing had been made from it.

    Args:
        names: Of datasets that a run reads.
        catalog: The catalog.

    Returns:
        The version that was removed, by name; nothing of datasets whose version was named.
    """
    versions = cache(lambda name: _versions(catalog.get(name)))
    relatives = [_Relatives(pipeline) for pipeline in pipelines.values()]
    found = {}
    for name in names:
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None or dataset._version.load:
            continue
        made = {
            version
            for one in relatives
            for version in set().union(*map(versions, one.before(name))) & set().union(*map(versions, one.after(name)))
        }
        newest = max(made, default="")
        if newest > max(versions(name), default=""):
            found[name] = newest
    return found


class _Relatives:
    """What a pipeline makes before a dataset, and from it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._makers = {output: node for node in pipeline.nodes for output in node.outputs}
        self._readers: dict[str, list[Node]] = {}
        for node in pipeline.nodes:
            for name in node.inputs:
                self._readers.setdefault(name, []).append(node)

    def before(self, name: str) -> set[str]:
        """Return what is made before a dataset or with it; nothing if the pipeline does not make it."""
        return self._follow(name, lambda one: [self._makers[one]] if one in self._makers else []) - {name}

    def after(self, name: str) -> set[str]:
        """Return what is made from a dataset; nothing if the pipeline does not make it."""
        if name not in self._makers:
            return set()
        return self._follow(name, lambda one: self._readers.get(one, []), forwards=True) - {name}

    def _follow(self, name: str, neighbours: Callable[[str], list[Node]], *, forwards: bool = False) -> set[str]:
        """Return all that is reached from a dataset over the nodes beside it."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            for node in neighbours(waiting.pop()):
                reached = set(node.outputs if forwards else [*node.inputs, *node.outputs]) & self._makers.keys()
                waiting += reached - found
                found |= reached
        return found


def _versions(dataset: Any) -> frozenset[str]:
    """Return the versions of a dataset, none of one that keeps none."""
    if not isinstance(dataset, AbstractVersionedDataset) or dataset.resolve_save_version() is None:
        return frozenset()
    return frozenset(dataset.list_versions(full_path=False))
