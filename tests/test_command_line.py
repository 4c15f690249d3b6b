"""Commands that only list or explain answer fast: nothing heavy is imported for them."""

import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

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
# What an empty project answers in is the floor: Kedro and its plugins.
TIMES_AN_EMPTY_PROJECT = 2.2
REPEATS = 7

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


@pytest.fixture(scope="module")
def loaded(project):
    """The modules that are imported after each command, by command."""
    process = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(COMMANDS)], cwd=project, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stderr.strip().splitlines()[-1])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_lists_imports_nothing_heavy(loaded, command):
    assert "kedro.framework.cli.cli" in loaded[command]
    assert HEAVY.intersection(loaded[command]) == set()


@pytest.fixture
def empty_project(tmp_path):
    """The least that is a Kedro project."""
    for name, content in EMPTY_PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def seconds_to_list(folder):
    """Processor time, user and system: unlike time by the clock, it is the same on a busy machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).with_name("kedro"), "registry", "list"], cwd=folder, check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
def test_listing_the_pipelines_takes_little_longer_than_in_an_empty_project(project, empty_project):
    # In turns; the first pair fills the caches.
    pairs = [(seconds_to_list(project), seconds_to_list(empty_project)) for _ in range(REPEATS + 1)][1:]
    ours, empty = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"registry list: {ours:.2f} s, in an empty project {empty:.2f} s")

    assert ours / empty <= TIMES_AN_EMPTY_PROJECT, pairs
