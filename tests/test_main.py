"""What `python -m pneumonia` refuses before a run starts; test_wheel.py tests that it runs outside a checkout."""

import gzip
import re

import pytest

from pneumonia.__main__ import main


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(b"conf" * 1000)[:20], gzip.compress(b"conf" * 1000)],
    ids=["another file", "cut", "no archive"],
)
def test_a_configuration_that_was_damaged_is_refused_in_a_sentence(tmp_path, content, capsys):
    archive = tmp_path / "conf-pneumonia.tar.gz"
    archive.write_bytes(content)

    with pytest.raises(SystemExit):
        main([f"--conf-source={archive}", "--env=demo"])
    assert re.search(r"Error: .*conf-pneumonia\.tar\.gz cannot be read .*Copy the conf", capsys.readouterr().err)


def test_a_configuration_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--conf-source=no_such_file.tar.gz"])

    assert ended.value.code == 2
    assert "Path 'no_such_file.tar.gz' does not exist" in capsys.readouterr().err
