"""What import-linter cannot say: no command that only lists imports a heavy library; what is imported is declared."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import PurePosixPath

import pytest

PACKAGE = "pneumonia"
# The datasets of kedro_datasets among them import the library that they are named after.
HEAVY = (
    "tensorflow",
    "keras",
    "sklearn",
    "scipy",
    "matplotlib",
    "kedro_datasets.tensorflow",
    "kedro_datasets.matplotlib",
)
# What every `kedro` command loads: settings, registry, pipelines, and the classes that the catalog names.
LOADED_BY_KEDRO = ("settings", "pipeline_registry", "cli", "pipelines", "datasets")


def parse(path, code):
    """Return the name of the module at `path` below src, and its syntax tree."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.parse(code)


def imported(nodes):
    """Return every name that the import statements among `nodes` may stand for, `from a import b` as a and a.b."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}: the rules cannot read it"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def run_on_import(body):
    """Yield the statements that run when a module is imported: none in functions or under TYPE_CHECKING."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from run_on_import(node.orelse)
            continue
        yield node
        yield from run_on_import(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
        yield from run_on_import(
            statement
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.ExceptHandler | ast.match_case)
            for statement in child.body
        )


def within(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def heavy_imports_of_every_command(modules):
    """Follow the imports that run when Kedro loads the project; return those that reach a heavy library."""
    waiting = [name for name in modules if within(name, [f"{PACKAGE}.{root}" for root in LOADED_BY_KEDRO])]
    seen, found = set(), set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        names = imported(run_on_import(modules[module].body))
        found |= {f"{module} imports {name}" for name in names if within(name, HEAVY)}
        waiting += [name for name in names if name in modules]
    return found


@pytest.fixture(scope="module")
def modules(project):
    source = project / "src"
    files = sorted(source.glob(f"{PACKAGE}/**/*.py"))
    return dict(parse(path.relative_to(source).as_posix(), path.read_text(encoding="utf-8")) for path in files)


def test_what_every_command_loads_imports_nothing_heavy(modules):
    assert heavy_imports_of_every_command(modules) == set()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("settings.py", "import tensorflow as tf"),
        ("pipelines/inputs/__init__.py", "try:\n import scipy\nfinally: pass"),
        ("datasets/a.py", "class A:\n from matplotlib.figure import Figure"),
        ("datasets/a.py", "try: pass\nexcept ImportError:\n import keras"),
        ("datasets/a.py", "if True:\n pass\nelse:\n import keras"),
    ],
)
def test_a_heavy_import_is_named(path, code):
    module, tree = parse(f"{PACKAGE}/{path}", code)

    found = heavy_imports_of_every_command({module: tree})

    assert found
    assert all(sentence.startswith(f"{module} imports ") for sentence in found)


def test_a_heavy_import_is_found_behind_other_modules():
    modules = dict(
        [
            parse("pneumonia/pipelines/inputs/nodes.py", "from pneumonia.report import style"),
            parse("pneumonia/report/style.py", "from pneumonia.colours import RED"),
            parse("pneumonia/colours.py", "from matplotlib import colors"),
        ]
    )
    assert heavy_imports_of_every_command(modules) == {
        "pneumonia.colours imports matplotlib",
        "pneumonia.colours imports matplotlib.colors",
    }


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n import tensorflow",
        "class A:\n def f(self):\n  import tensorflow",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n from keras import Model",
        "import numpy",
    ],
)
def test_an_import_that_costs_no_command_time_is_allowed(code):
    assert heavy_imports_of_every_command(dict([parse("pneumonia/datasets/a.py", code)])) == set()


def test_the_rules_read_the_modules_that_they_are_about(modules):
    assert "pneumonia.pipelines.training.nodes" in modules
    assert "pneumonia.pipelines.evaluation.explain.nodes" in modules
    assert heavy_imports_of_every_command({**modules, **dict([parse("pneumonia/base/errors.py", "import keras")])})


def packages_imported(modules):
    """Return the names under which the imported packages are installed."""
    tops = {name.split(".")[0] for tree in modules.values() for name in imported(ast.walk(tree))}
    installed = metadata.packages_distributions()
    return {installed.get(name, [name])[0].lower() for name in tops - set(sys.stdlib_module_names) - {PACKAGE}}


def test_what_is_imported_is_declared_and_nothing_else(modules, project):
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Extras are imported only when needed; a message names a missing one. pydicom imports gdcm, Keras tf2onnx.
    extras = declared["optional-dependencies"]
    requirements = (
        declared["dependencies"] + extras["kaggle"] + extras["dicom"][:1] + extras["export"][:3] + extras["cluster"]
    )

    assert packages_imported(modules) == {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


def test_packages_are_known_by_the_names_that_they_are_installed_by():
    _, tree = parse("pneumonia/a.py", "import os, sklearn.metrics\ndef f():\n from PIL import Image\n import not_here")
    assert packages_imported({"pneumonia.a": tree}) == {"scikit-learn", "pillow", "not_here"}
