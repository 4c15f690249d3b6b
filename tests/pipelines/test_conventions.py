"""What holds for the nodes of every pipeline."""

import ast
import inspect
from types import ModuleType

import pytest

from pneumonia.pipeline_registry import register_pipelines

MOST_ARGUMENTS = 6


def functions_of(pipeline):
    return sorted({node.func for node in register_pipelines()[pipeline].nodes}, key=lambda func: func.__qualname__)


def path_of(func):
    return f"{func.__module__}.{func.__name__}"


@pytest.fixture(scope="module")
def every_node():
    return functions_of("__default__")


def test_no_parameter_of_a_node_shadows_a_module(every_node):
    shadowing = {
        f"{path_of(func)}: {name}"
        for func in every_node
        for name in inspect.signature(func).parameters
        if isinstance(func.__globals__.get(name), ModuleType)
    }
    assert shadowing == set()


def test_no_node_of_the_evaluation_takes_more_than_six_arguments():
    taken = {path_of(func): len(inspect.signature(func).parameters) for func in functions_of("evaluation")}
    assert {path: n for path, n in taken.items() if n > MOST_ARGUMENTS} == {}


def called(code):
    """Return what a test module imports from the package and calls, by dotted path."""
    tree, names = ast.parse(code), {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom):
            names |= {one.asname or one.name: f"{statement.module}.{one.name}" for one in statement.names}
    calls = {tuple(ast.unparse(call.func).split(".")) for call in ast.walk(tree) if isinstance(call, ast.Call)}
    return {".".join([names[first], *rest]) for first, *rest in calls if first in names}


@pytest.mark.parametrize(
    "stage", ["imbalance", "inputs", "evaluation", "comparison", "prediction", "external", "export"]
)
def test_every_node_is_called_by_a_unit_test(project, stage):
    by_tests = set().union(*(called(path.read_text(encoding="utf-8")) for path in project.glob("tests/**/test_*.py")))
    assert {path_of(func) for func in functions_of(stage)} - by_tests == set()
