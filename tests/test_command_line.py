"""Commands that only list or explain answer fast: nothing heavy is imported for them."""

import json
import subprocess
import sys

import pytest

HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "matplotlib"}
COMMANDS = (
    "registry list",
    "registry describe training",
    "run --help",
    "catalog list-patterns",
    "catalog describe-datasets",
    "catalog resolve-patterns",
)
# Runs commands one after another and says what is imported after each.
PROBE = """
import json, sys
from kedro.framework.cli.cli import main

loaded = {}
for command in json.loads(sys.argv.pop()):
    sys.argv[1:] = command.split()
    try:
        main()
    except SystemExit as end:
        assert end.code in (0, None), command
    loaded[command] = sorted(sys.modules)
print(json.dumps(loaded), file=sys.stderr)
"""
# The modules of an empty project, Kedro and its plugins, are the floor. Most of the time goes into imports.
TIMES_AN_EMPTY_PROJECT = 2

EMPTY_PROJECT = {
    "pyproject.toml": '[project]\nname = "empty"\nversion = "0"\n\n[tool.kedro]\npackage_name = "empty"\n'
    'project_name = "empty"\nkedro_init_version = "1.7.0"\n',
    ".telemetry": "consent: false\n",
    "conf/base/catalog.yml": "",
    "conf/local/.gitkeep": "",
    "src/empty/__init__.py": "",
    "src/empty/settings.py": "",
    "src/empty/pipeline_registry.py": "from kedro.pipeline import Pipeline\n\n\n"
    'def register_pipelines():\n    return {"__default__": Pipeline([])}\n',
}


def modules_after(commands, folder):
    """The modules that are imported after each command, by command."""
    process = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(commands)], cwd=folder, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stderr.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def loaded(project):
    return modules_after(COMMANDS, project)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_lists_imports_nothing_heavy(loaded, command):
    assert "kedro.framework.cli.cli" in loaded[command]
    assert HEAVY.intersection(loaded[command]) == set()


@pytest.fixture
def empty_project(tmp_path):
    """The smallest possible Kedro project."""
    for name, content in EMPTY_PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_listing_the_pipelines_imports_little_more_than_in_an_empty_project(loaded, empty_project):
    (listing, *_) = COMMANDS
    ours, empty = len(loaded[listing]), len(modules_after([listing], empty_project)[listing])
    print(f"{listing}: {ours} modules, in an empty project {empty}")

    assert ours <= TIMES_AN_EMPTY_PROJECT * empty
