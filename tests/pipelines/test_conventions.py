"""What holds for the nodes of every pipeline."""

import ast
import inspect
from types import ModuleType

import pytest

from pneumonia.pipeline_registry import register_pipelines

MOST_ARGUMENTS = 6


def path_of(func):
    return f"{func.__module__}.{func.__name__}"


@pytest.fixture(scope="module")
def every_node():
    """The functions of all nodes of all registered pipelines."""
    functions = {node.func for pipeline in register_pipelines().values() for node in pipeline.nodes}
    return sorted(functions, key=path_of)


def test_no_parameter_of_a_node_shadows_a_module(every_node):
    shadowing = {
        f"{path_of(func)}: {name}"
        for func in every_node
        for name in inspect.signature(func).parameters
        if isinstance(func.__globals__.get(name), ModuleType)
    }
    assert shadowing == set()


def test_no_node_takes_more_than_six_arguments(every_node):
    taken = {path_of(func): len(inspect.signature(func).parameters) for func in every_node}
    assert {path: n for path, n in taken.items() if n > MOST_ARGUMENTS} == {}


def called(code):
    """Return what a test module imports from the package and calls, by dotted path."""
    tree, names = ast.parse(code), {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom):
            names |= {one.asname or one.name: f"{statement.module}.{one.name}" for one in statement.names}
    calls = {tuple(ast.unparse(call.func).split(".")) for call in ast.walk(tree) if isinstance(call, ast.Call)}
    return {".".join([names[first], *rest]) for first, *rest in calls if first in names}


def uncalled(functions, codes):
    """Return the functions that no test module imports and calls, by dotted path."""
    return {path_of(func) for func in functions} - set().union(*map(called, codes))


def test_every_node_is_called_by_a_unit_test(project, every_node):
    files = [*project.glob("tests/**/test_*.py"), *project.glob("tests/**/conftest.py")]

    assert len(every_node) > 70
    assert uncalled(every_node, [path.read_text(encoding="utf-8") for path in files]) == set()


PARENT, _, MODULE = __name__.rpartition(".")


@pytest.mark.parametrize(
    ("code", "is_named"),
    [
        (f"from {__name__} import path_of\npath_of()", False),
        (f"from {__name__} import path_of as node\nnode()", False),
        (f"from {PARENT} import {MODULE} as module\nmodule.path_of()", False),
        (f"from {__name__} import path_of", True),
        ("from another import path_of\npath_of()", True),
    ],
)
def test_a_node_that_no_test_calls_is_named(code, is_named):
    assert uncalled([path_of], [code]) == ({f"{__name__}.path_of"} if is_named else set())
