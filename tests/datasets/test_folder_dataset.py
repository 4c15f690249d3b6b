import json

import pytest
from kedro.io.core import Version

from pneumonia.base.errors import UserError
from pneumonia.datasets import FolderDataset

FIRST = "2026-01-01T00.00.00.000Z"


@pytest.fixture
def dataset(tmp_path):
    dataset = FolderDataset(filepath=str(tmp_path / "exported"), shown="model.json", version=Version(None, FIRST))
    dataset.save({"model.json": b'{"format": 1}', "saved_model/graph.pb": b"\0\1"})
    return dataset


def test_a_folder_is_loaded_as_its_path(dataset, tmp_path):
    assert dataset.load() == tmp_path / f"exported/{FIRST}/exported"
    assert (dataset.load() / "saved_model/graph.pb").read_bytes() == b"\0\1"


def test_the_preview_is_the_file_that_says_what_is_there(dataset):
    assert json.loads(dataset.preview()) == {"format": 1}


def test_it_exists_once_it_was_saved(dataset, tmp_path):
    assert dataset.exists()
    assert not FolderDataset(filepath=str(tmp_path / "other"), shown="model.json").exists()


def test_a_folder_that_is_there_is_not_overwritten(dataset, tmp_path):
    other = FolderDataset(filepath=str(tmp_path / f"exported/{FIRST}/exported"), shown="model.json")
    with pytest.raises(UserError, match="Could not write"):
        other.save({"model.json": b"{}"})
    assert json.loads(dataset.preview()) == {"format": 1}
