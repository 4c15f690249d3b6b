import pytest

from pneumonia.base.errors import UserError
from pneumonia.datasets import EventLogDataset


def test_it_gives_the_folder_which_need_not_exist(tmp_path):
    dataset = EventLogDataset(filepath=str(tmp_path / "logs"))

    assert dataset.load() == tmp_path / "logs"
    assert dataset.exists()
    assert not (tmp_path / "logs").exists()


def test_nothing_is_saved_through_the_catalog(tmp_path):
    with pytest.raises(UserError, match="written by the training itself"):
        EventLogDataset(filepath=str(tmp_path)).save({})
