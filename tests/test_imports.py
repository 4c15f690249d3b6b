"""What the linters cannot say: no command that only lists things waits for a heavy library; imports are declared."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata

HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "matplotlib"}
# What every `kedro` command loads: settings, registry, pipelines, and the classes that the catalog names.
LOADED_BY_KEDRO = """
import pkgutil, sys
import pneumonia.cli, pneumonia.datasets, pneumonia.pipeline_registry, pneumonia.settings
for module in pkgutil.iter_modules(pneumonia.datasets.__path__, "pneumonia.datasets."):
    __import__(module.name)
pneumonia.pipeline_registry.register_pipelines()
print(*sys.modules)
"""


def test_what_every_command_loads_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", LOADED_BY_KEDRO], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())

    assert "pneumonia.pipelines.training.pipeline" in loaded
    assert loaded & HEAVY == set()


def packages_imported(codes):
    """Return the names under which the packages that some code imports, wherever in it, are installed."""
    nodes = [node for code in codes for node in ast.walk(ast.parse(code))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    installed = metadata.packages_distributions()
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"pneumonia"}
    return {installed.get(name, [name])[0].lower() for name in tops}


def test_what_is_imported_is_declared_and_nothing_else(project):
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Extras are imported only when needed; a message names a missing one. pydicom imports gdcm, Keras tf2onnx,
    # MLflow the database's.
    extras = declared["optional-dependencies"]
    requirements = (
        declared["dependencies"]
        + extras["kaggle"]
        + extras["parquet"]
        + extras["dicom"][:1]
        + extras["export"][:3]
        + extras["cluster"]
        + extras["mlflow"][:1]
    )
    codes = [path.read_text(encoding="utf-8") for path in (project / "src/pneumonia").rglob("*.py")]

    assert packages_imported(codes) == {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


def test_packages_are_known_by_the_names_that_they_are_installed_by():
    code = "import os, sklearn.metrics\ndef f():\n from PIL import Image\n import not_here"
    assert packages_imported([code]) == {"scikit-learn", "pillow", "not_here"}


def test_files_that_are_no_code_are_installed_with_the_package(project):
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    source = project / "src"
    packaged = {
        path
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for path in (source / package.replace(".", "/")).glob(pattern)
    }
    others = {path for path in (source / "pneumonia").rglob("*.*") if path.suffix not in (".py", ".pyc")}
    assert others
    assert others <= packaged
