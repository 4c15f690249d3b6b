"""What holds for the nodes of every pipeline."""

import ast
import inspect
import textwrap
from types import ModuleType

import pytest

from pneumonia.pipeline_registry import register_pipelines
from pneumonia.pipelines.evaluation import pipeline as evaluation

MOST_STATEMENTS = 3  # in a node of the evaluation, which only hands a domain function what it needs


def nodes_of(pipeline):
    return sorted({node.func for node in pipeline.nodes}, key=lambda func: func.__qualname__)


@pytest.fixture(scope="module")
def every_node():
    return nodes_of(register_pipelines()["__default__"])


def test_no_parameter_of_a_node_shadows_a_module(every_node):
    shadowing = {
        f"{func.__module__}.{func.__name__}: {name}"
        for func in every_node
        for name in inspect.signature(func).parameters
        if isinstance(func.__globals__.get(name), ModuleType)
    }
    assert shadowing == set()


def test_no_node_of_the_evaluation_takes_more_than_six_arguments():
    assert [
        f.__name__ for f in nodes_of(evaluation.create_pipeline()) if len(inspect.signature(f).parameters) > 6
    ] == []


def statements(func):
    """Return the statements of a function without its docstring."""
    body = ast.parse(textwrap.dedent(inspect.getsource(func))).body[0].body
    return body[1:] if isinstance(body[0], ast.Expr) else body


def test_a_node_of_the_evaluation_names_what_it_does_and_leaves_it_to_the_domain():
    nodes = [func for func in nodes_of(evaluation.create_pipeline()) if func.__module__.endswith("nodes")]
    assert len(nodes) > 15
    assert [func.__name__ for func in nodes if len(statements(func)) > MOST_STATEMENTS] == []


def test_the_evaluation_is_cut_into_pipelines_that_can_be_read_at_once():
    parts = ("score", "decide", "measure", "usefulness", "audit", "explain", "range", "report")
    cut = [getattr(evaluation, name).create_pipeline() for name in parts]
    assert sum(len(part.nodes) for part in cut) == len(evaluation.create_pipeline().nodes)
    assert max(len(part.nodes) for part in cut) <= 16
