import pytest

from pneumonia.base.errors import UserError
from pneumonia.datasets import AllRecordsDataset


@pytest.fixture
def dataset(tmp_path):
    return AllRecordsDataset(path=str(tmp_path / "run_record.json"))


def test_where_nothing_was_recorded_there_are_no_records(dataset):
    assert dataset.exists()
    assert dataset.load() == {}


def test_every_version_is_loaded_by_its_name(dataset, tmp_path):
    for version in ("2026-01-01", "2026-01-02"):
        file = tmp_path / "run_record.json" / version / "run_record.json"
        file.parent.mkdir(parents=True)
        file.write_text(f'{{"run_id": "{version}"}}')
    assert dataset.load() == {"2026-01-01": {"run_id": "2026-01-01"}, "2026-01-02": {"run_id": "2026-01-02"}}


def test_a_record_that_is_not_whole_is_named(dataset, tmp_path):
    file = tmp_path / "run_record.json" / "2026-01-01" / "run_record.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"run_id": ')
    with pytest.raises(UserError, match=r"2026-01-01/run_record\.json is not whole"):
        dataset.load()
