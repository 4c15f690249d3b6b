import pytest

from pneumonia.base.checksums import check_as_written, checksum_path, write_with_checksum
from pneumonia.base.errors import UserError


@pytest.fixture
def written(tmp_path):
    write_with_checksum(tmp_path / "a.csv", b"1")
    return tmp_path / "a.csv"


def test_a_file_as_it_was_written_passes(written):
    check_as_written(written)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"0" * 64, b"6b86b2"])
def test_a_checksum_that_is_none_is_refused(written, content):
    checksum_path(written).write_bytes(content)
    with pytest.raises(UserError, match=r"a\.csv has changed since it was written"):
        check_as_written(written)


def test_a_file_without_checksum_is_refused_with_the_way_out(written):
    checksum_path(written).unlink()
    with pytest.raises(UserError, match=r"sha256sum a\.csv > a\.csv\.sha256"):
        check_as_written(written)
