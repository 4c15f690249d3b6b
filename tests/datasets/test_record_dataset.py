import numpy as np
import pytest
from kedro.io import DatasetError

from pneumonia.base.errors import UserError
from pneumonia.datasets import RecordDataset


@pytest.fixture
def dataset(tmp_path):
    return RecordDataset(filepath=str(tmp_path / "record.json"))


def test_numpy_values_become_numbers_and_lists(dataset):
    dataset.save({"auc": np.float32(0.5), "n": np.int64(3), "confusion": np.array([[1, 2], [3, 4]])})

    assert dataset.load() == {"auc": 0.5, "n": 3, "confusion": [[1, 2], [3, 4]]}


def test_nan_is_refused(dataset):
    with pytest.raises(DatasetError, match="not JSON compliant"):
        dataset.save({"auc": float("nan")})
    assert not dataset.exists()


def test_a_truncated_record_is_refused_by_name(dataset, tmp_path):
    dataset.save({"auc": 0.5})
    path = tmp_path / "record.json"
    path.write_text(path.read_text()[:-4])

    with pytest.raises(UserError, match=r"record\.json has changed since it was written"):
        dataset.load()


def test_a_record_that_was_edited_is_refused_with_the_way_out(dataset, tmp_path):
    dataset.save({"auc": 0.5})
    path = tmp_path / "record.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))

    with pytest.raises(UserError, match=r"truncated or edited.*sha256sum record\.json > record\.json\.sha256"):
        dataset.load()


def test_a_record_of_an_older_release_has_no_checksum_and_is_loaded(dataset, tmp_path):
    (tmp_path / "record.json").write_text('{"auc": 0.5}')

    assert dataset.load() == {"auc": 0.5}


@pytest.mark.parametrize("content", [b'{"auc": "\xff"}', b"[" * 200_000, b"", b"\0"])
def test_what_is_no_json_is_refused_by_name(dataset, tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)

    with pytest.raises(UserError, match=r"record\.json is damaged"):
        dataset.load()
