"""How long functions and files are. Ruff and `lint-imports` check the rest: parameters, places, who may import what."""

import ast
import statistics

import pytest

MOST_LINES = 40
MOST_LINES_OF_A_FILE = 300


@pytest.fixture(scope="module")
def files(project):
    return {
        path.relative_to(project / "src/pneumonia").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((project / "src/pneumonia").rglob("*.py"))
    }


def lengths(files):
    """Return the number of lines of every function, by file and name, without its docstring."""
    return {
        f"{path}:{node.name}": lines_of(node)
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_literal(node)
    }


def is_literal(function):
    """Tell whether a function is one expression, as a list of nodes: a table, which may be long."""
    return function.name == "create_pipeline" and [type(part) for part in function.body[1:]] == [ast.Return]


def lines_of(function):
    documented = ast.get_docstring(function) is not None
    docstring = function.body[0].end_lineno - function.body[0].lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_functions_and_files_are_short(files):
    assert {name: lines for name, lines in lengths(files).items() if lines > MOST_LINES} == {}
    assert [path for path, text in files.items() if text.count("\n") > MOST_LINES_OF_A_FILE] == []


def test_most_functions_are_much_shorter(files):
    lines = sorted(lengths(files).values())

    assert len(lines) > 300
    assert statistics.median(lines) <= 8
    assert lines[int(0.9 * len(lines))] <= 20


def test_a_docstring_and_a_table_of_nodes_do_not_count():
    code = 'def f():\n """Two\n lines."""\n pass\n\n\ndef create_pipeline():\n """One."""\n return [\n ]\n'
    assert lengths({"a.py": code}) == {"a.py:f": 2}
