import signal
import subprocess
import sys

import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.files import whole_file, write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    write_whole(path, b"one")
    write_whole(path, b"two")

    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_an_error_while_writing_leaves_the_former_file(tmp_path):
    path = tmp_path / "file.txt"
    write_whole(path, b"one")

    with pytest.raises(ValueError, match="meanwhile"), whole_file(path) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise ValueError("meanwhile")
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_a_full_disk_is_named_with_the_file(tmp_path):
    with (
        pytest.raises(UserError, match=r"Could not write .*file\.txt: No space left"),
        whole_file(tmp_path / "file.txt"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_the_former_file(tmp_path):
    path = tmp_path / "file.txt"
    write_whole(path, b"one")
    code = (
        "import sys, time; from pathlib import Path; from pneumonia.base.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(b'half'); print('writing', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    assert path.read_bytes() == b"one"
