import pandas as pd
import pytest
from kedro.io.core import Version

from pneumonia.base.errors import UserError
from pneumonia.datasets import TableDataset

TABLE = pd.DataFrame({"path": ["a", "NA", "None", ""], "n": [1, 2, 3, 4], "share": [0.1, 1 / 3, 1e-17, 2.0]})


@pytest.fixture
def dataset(tmp_path):
    return TableDataset(filepath=str(tmp_path / "table.csv"), version=Version(None, "v1"))


def test_values_survive_the_round_trip_exactly(dataset):
    dataset.save(TABLE)

    pd.testing.assert_frame_equal(dataset.load(), TABLE)


def test_the_checksum_is_that_of_the_file_as_sha256sum_prints_it(dataset, tmp_path):
    dataset.save(pd.DataFrame({"a": [1]}))

    # printf 'a\n1\n' | sha256sum
    digest = "309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc"
    assert (tmp_path / "table.csv" / "v1" / "table.csv.sha256").read_text() == f"{digest}  table.csv\n"


def test_a_table_cut_at_the_end_of_a_row_is_refused(dataset, tmp_path):
    dataset.save(TABLE)
    path = tmp_path / "table.csv" / "v1" / "table.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    with pytest.raises(UserError, match="cut or edited"):
        dataset.load()


def test_a_table_without_checksum_is_refused_with_the_way_out(dataset, tmp_path):
    dataset.save(TABLE)
    (tmp_path / "table.csv" / "v1" / "table.csv.sha256").unlink()

    with pytest.raises(UserError, match="sha256sum table.csv > table.csv.sha256"):
        dataset.load()


def test_a_save_that_fails_leaves_no_version(dataset, tmp_path):
    (tmp_path / "table.csv").write_text("a file where the versions' folder would be")

    with pytest.raises(UserError, match="Could not write"):
        dataset.save(TABLE)
    assert not dataset.exists()
