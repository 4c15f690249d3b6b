import subprocess
import sys

import pytest

from pneumonia.base.startup import tell_encoding_problem

SPEAK = "import os, sys; from pneumonia.base.startup import held_back_stderr\n"


def run(code):
    return subprocess.run([sys.executable, "-c", SPEAK + code], capture_output=True, text=True)


def test_what_is_said_at_the_start_is_held_back_also_from_c():
    done = run(
        "with held_back_stderr():\n os.write(2, b'noise')\n print('more', file=sys.stderr)\nos.write(2, b'after')"
    )
    assert (done.returncode, done.stderr) == (0, "after")


def test_what_was_said_is_passed_on_when_the_start_fails():
    done = run("with held_back_stderr():\n os.write(2, b'the cause\\n')\n raise OSError('no library')")
    assert done.returncode == 1
    assert done.stderr.startswith("the cause\n")
    assert "no library" in done.stderr


def test_threads_that_start_tensorflow_at_once_leave_standard_error_as_it_was():
    done = run(
        "import threading; from pneumonia.base.startup import start_tensorflow\n"
        "threads = [threading.Thread(target=start_tensorflow) for _ in range(3)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "os.write(2, b'after')"
    )
    assert (done.returncode, done.stderr) == (0, "after")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8"])
def test_names_in_utf_8_are_no_problem(encoding):
    assert tell_encoding_problem(encoding) is None


@pytest.mark.parametrize("encoding", ["ascii", "ANSI_X3.4-1968", "iso8859-1"])
def test_names_in_another_encoding_are_reported_with_what_to_do(encoding):
    assert tell_encoding_problem(encoding).startswith(f"File names are read as {encoding} here")
    assert "PYTHONUTF8=1" in tell_encoding_problem(encoding)
