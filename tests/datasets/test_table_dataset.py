import csv
import shutil
import subprocess

import pandas as pd
import pytest
from kedro.io.core import Version

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_whole
from pneumonia.datasets import TableDataset

FIRST = "2026-01-01T00.00.00.000Z"
SECOND = "2026-01-02T00.00.00.000Z"
THIRD = "2026-01-03T00.00.00.000Z"

TABLE = pd.DataFrame({"path": ["a", "NA", "None", ""], "n": [1, 2, 3, 4], "share": [0.1, 1 / 3, 1e-17, 2.0]})


@pytest.fixture
def dataset(tmp_path):
    return TableDataset(filepath=str(tmp_path / "table.csv"), version=Version(None, FIRST))


def test_values_survive_the_round_trip_exactly(dataset):
    dataset.save(TABLE)

    pd.testing.assert_frame_equal(dataset.load(), TABLE)


def test_the_checksum_is_that_of_the_file_as_sha256sum_prints_it(dataset, tmp_path):
    dataset.save(pd.DataFrame({"a": [1]}))

    # printf 'a\n1\n' | sha256sum
    digest = "309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc"
    folder = tmp_path / "table.csv" / FIRST
    first, where = (folder / "table.csv.sha256").read_text().splitlines()
    assert first == f"{digest}  table.csv"
    assert where == f"# written as {FIRST}/table.csv"
    subprocess.run(["sha256sum", "--check", "--strict", "table.csv.sha256"], cwd=folder, check=True)


def test_the_table_of_another_run_with_its_own_checksum_is_refused_with_the_way_out(dataset, tmp_path):
    dataset.save(TABLE)
    TableDataset(filepath=str(tmp_path / "table.csv"), version=Version(None, SECOND)).save(TABLE.head(2))
    first, second = tmp_path / "table.csv" / FIRST, tmp_path / "table.csv" / SECOND
    shutil.copytree(first, second, dirs_exist_ok=True)

    swapped = TableDataset(filepath=str(tmp_path / "table.csv"), version=Version(SECOND, None))
    with pytest.raises(UserError, match=f"belongs elsewhere: its checksum was written for {FIRST}/table.csv"):
        swapped.load()

    subprocess.run("sha256sum table.csv > table.csv.sha256", shell=True, cwd=second, check=True)
    pd.testing.assert_frame_equal(swapped.load(), TABLE)


def test_a_table_cut_at_the_end_of_a_row_is_refused(dataset, tmp_path):
    dataset.save(TABLE)
    path = tmp_path / "table.csv" / FIRST / "table.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    with pytest.raises(UserError, match="truncated or edited"):
        dataset.load()


def test_a_table_without_checksum_is_refused_with_the_way_out(dataset, tmp_path):
    dataset.save(TABLE)
    (tmp_path / "table.csv" / FIRST / "table.csv.sha256").unlink()

    with pytest.raises(UserError, match="sha256sum table.csv > table.csv.sha256"):
        dataset.load()


def test_a_save_that_fails_leaves_no_version(dataset, tmp_path):
    (tmp_path / "table.csv").write_text("a file where the versions' folder would be")

    with pytest.raises(UserError, match="Could not write"):
        dataset.save(TABLE)
    assert (tmp_path / "table.csv").read_text() == "a file where the versions' folder would be"


def test_a_save_that_is_killed_between_checksum_and_table_leaves_the_former_version(dataset, tmp_path, monkeypatch):
    dataset.save(TABLE)

    def killed(path, data):
        if path.suffix == ".sha256":
            write_whole(path, data)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr("pneumonia.base.files.write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        TableDataset(filepath=str(tmp_path / "table.csv"), version=Version(None, SECOND)).save(TABLE)

    later = TableDataset(filepath=str(tmp_path / "table.csv"), version=Version(None, THIRD))
    pd.testing.assert_frame_equal(later.load(), TABLE)


def test_every_table_of_the_catalog_is_versioned_so_that_no_run_reads_or_damages_anothers(catalog_entries):
    tables = {name: entry for name, entry in catalog_entries.items() if entry["type"].endswith(".TableDataset")}

    assert len(tables) > 20
    assert [name for name, entry in tables.items() if not entry.get("versioned")] == []


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'", "'=1", "a=1", "", "person1_virus"]


def test_a_cell_that_begins_as_a_formula_is_written_as_text_and_loaded_as_it_was(dataset, tmp_path):
    table = pd.DataFrame({"group": FORMULAS, "number": range(len(FORMULAS)), "change": [-0.5] * len(FORMULAS)})
    dataset.save(table)

    pd.testing.assert_frame_equal(dataset.load(), table)
    with (tmp_path / "table.csv" / FIRST / "table.csv").open(newline="") as file:
        cells = [row[0] for row in csv.reader(file)][1:]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))] == []


def test_columns_of_mixed_types_are_written_as_they_are(dataset):
    dataset.save(pd.DataFrame({"note": ["=a", 1, None, 0.5]}))

    assert dataset.load()["note"].tolist() == ["=a", "1", "", "0.5"]


def test_an_empty_cell_is_a_gap_except_in_a_column_of_text(dataset):
    dataset.save(pd.DataFrame({"auc": [0.5, None], "reason": ["", "cut"]}))

    assert dataset.load().fillna(-1).to_dict("list") == {"auc": [0.5, -1], "reason": ["", "cut"]}


def test_groups_and_classes_that_look_like_numbers_stay_text(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"), load_args={"dtype": {"place": "str"}})
    table = pd.DataFrame({"group": ["007", "7", "1e2"], "label": ["0", "1", "1"], "place": ["12", "13", "NA"]})
    dataset.save(table)

    assert dataset.load().to_dict() == table.to_dict()
