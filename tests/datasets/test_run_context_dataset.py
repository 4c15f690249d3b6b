import os
import subprocess
import sys
from importlib import metadata

import pytest

from pneumonia.datasets import RunContextDataset


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    return RunContextDataset(path=str(tmp_path))


def test_a_run_is_described_by_how_it_was_started_and_by_what_it_runs_on(dataset):
    dataset.save({"run_id": "now"})
    found = dataset.load()

    assert found["run_id"] == "now"
    assert found["packages"]["pandas"] == metadata.version("pandas")
    assert found["packages"]["pneumonia"] == metadata.version("pneumonia")
    assert found["packages"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["hardware"]["cores"] == len(os.sched_getaffinity(0))
    assert found["hardware"]["cpu"]


def test_the_commit_of_the_checkout_is_recorded_and_whether_files_differ(dataset, tmp_path):
    assert dataset.load()["commit"] is None

    for command in ("init", "add pyproject.toml", "-c user.name=n -c user.email=e commit --message=m"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert dataset.load()["commit"] == head.stdout.strip()
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n# changed\n")
    assert dataset.load()["commit"] == f"{head.stdout.strip()}-dirty"
    (tmp_path / "pyproject.toml").unlink()
    assert dataset.load()["commit"] is None, "a repository around an installed package is somebody else's"
