import sqlite3

import pytest
from tests.base.test_files import WRONG

from pneumonia.base.errors import UserError
from pneumonia.base.sqlite import ScoringLedger


def test_an_image_counts_once_for_each_run_that_scored_it(tmp_path):
    path = tmp_path / "data" / "scorings.sqlite"
    ledger = ScoringLedger(path)
    assert ledger.count(["a", "b"]).tolist() == [0, 0]
    assert not path.exists()  # whoever asks writes nothing
    ledger.note("monday", ["a", "b"])
    ledger.note("monday", ["a"])
    ScoringLedger(path).note("tuesday", ["a"])
    assert ledger.count(iter("abc")).tolist() == [2, 1, 0]


def no_database(path):
    path.write_bytes(b"no database, but longer than a header of one" * 9)


@pytest.mark.parametrize("make", [no_database, *WRONG.values()], ids=["no database", *WRONG])
def test_a_ledger_that_cannot_be_used_stops_the_run_and_is_not_taken_for_an_empty_one(tmp_path, make):
    path = tmp_path / "scorings.sqlite"
    make(path)
    for use in (lambda: ScoringLedger(path).note("monday", ["a"]), lambda: ScoringLedger(path).count(["a"])):
        with pytest.raises(UserError, match=r"The ledger of scored images .*scorings\.sqlite"):
            use()


def test_two_runs_may_write_at_once(tmp_path):
    path = tmp_path / "scorings.sqlite"
    ScoringLedger(path).note("monday", ["a"])
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO scorings VALUES ('a', 'tuesday')")
        assert ScoringLedger(path).count(["a"]).tolist() == [1]  # the other is not done
    other.close()
    assert ScoringLedger(path).count(["a"]).tolist() == [2]
