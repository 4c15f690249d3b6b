import pytest

from pneumonia.base.file_names import tell_encoding_problem


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8"])
def test_names_in_utf_8_are_no_problem(encoding):
    assert tell_encoding_problem(encoding) is None


@pytest.mark.parametrize("encoding", ["ascii", "ANSI_X3.4-1968", "iso8859-1"])
def test_names_in_another_encoding_are_reported_with_what_to_do(encoding):
    assert tell_encoding_problem(encoding).startswith(f"File names are read as {encoding} here")
    assert "PYTHONUTF8=1" in tell_encoding_problem(encoding)
