import shutil

import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog

from pneumonia.runs.removed import find_removed

configure_project("pneumonia")
FIRST, SECOND = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
# The first is made from nothing that the evaluation makes, the last is read by nothing but the pages.
MADE = ("checked_lineage", "scores", "decision", "predictions", "metrics", "metrics_table")


@pytest.fixture
def versions(tmp_path):
    """Let two evaluations have made some of what they make; return the folder of each version."""
    folders = {(name, version): tmp_path / name / version for name in MADE for version in (FIRST, SECOND)}
    for (name, _), folder in folders.items():
        folder.mkdir(parents=True)
        (folder / name).write_text("{}")
    return folders


def find(tmp_path, *names, load_versions=None):
    entry = {"type": "pneumonia.datasets.RecordDataset", "versioned": True}
    made = {name: {**entry, "filepath": str(tmp_path / name)} for name in MADE}
    return find_removed(names, DataCatalog.from_config(made, load_versions=load_versions))


def test_what_is_there_was_not_removed(versions, tmp_path):
    assert find(tmp_path, *MADE) == {}


@pytest.mark.parametrize("name", ["scores", "decision", "predictions", "metrics"])
def test_what_a_run_made_before_and_after_tells_what_was_removed(versions, tmp_path, name):
    shutil.rmtree(versions[name, SECOND])

    assert find(tmp_path, *MADE) == {name: SECOND}
    assert find(tmp_path, *MADE, load_versions={name: FIRST}) == {}  # it was named


@pytest.mark.parametrize("last", ["scores", "predictions", "metrics"])
def test_what_a_stopped_run_did_not_make_was_not_removed(versions, tmp_path, last):
    for name in MADE[MADE.index(last) + 1 :]:
        shutil.rmtree(versions[name, SECOND])

    assert find(tmp_path, *MADE) == {}


def test_what_was_made_again_from_what_there_was_does_not_tell_that_anything_was_removed(versions, tmp_path):
    for name in ("checked_lineage", "scores", "decision"):
        shutil.rmtree(versions[name, SECOND])

    assert find(tmp_path, *MADE) == {}
