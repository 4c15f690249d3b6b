import pytest

from pneumonia.base.errors import UserError
from pneumonia.study.task import StudyRecords


def test_a_result_is_found_again_and_others_are_not(tmp_path):
    records = StudyRecords(tmp_path / "new")
    assert records.find("a1") is None

    records.save("a1", {"recipe": "base", "untouched_auc": 0.9})

    assert StudyRecords(tmp_path / "new").find("a1") == {"recipe": "base", "untouched_auc": 0.9}
    assert records.find("a2") is None


def test_a_damaged_result_is_named(tmp_path):
    records = StudyRecords(tmp_path)
    records.save("a1", {"recipe": "base"})
    (tmp_path / "a1.json").write_text('{"recipe": ')

    with pytest.raises(UserError, match=r"a1\.json has changed since .* Remove it"):
        records.find("a1")
