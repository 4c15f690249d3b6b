"""The pipelines: one folder per stage, with the table of its nodes and its figures."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

Names = str | list[str] | dict[str, str]


def node(function: Callable[..., Any], inputs: Names, outputs: Names, name: str = "", **options: Any) -> Node:
    """Return a node that is called like its function, or by a name of its own; `options` are those of Kedro's."""
    return Node(function, inputs, outputs, name=name or function.__name__, **options)


def stage(name: str, *nodes: Node | Pipeline) -> Pipeline:
    """Return the pipeline of a stage: its name is before the names of its nodes, and is their tag."""
    return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False, tags=name)
