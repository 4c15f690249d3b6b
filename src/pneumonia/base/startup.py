"""The start of a process: how it reads file names, and TensorFlow without its messages."""

import codecs
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Standard error belongs to the process: two threads that hold it back would each restore the other's.
_starting = threading.Lock()


@contextmanager
def held_back_stderr() -> Iterator[None]:
    """Hold back what is written to the process's standard error, by C libraries too; pass it on after an exception."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(before, said.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)


def start_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, without its messages about missing GPUs."""
    with _starting, held_back_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()


def tell_encoding_problem(encoding: str | None = None) -> str | None:
    """Say why file names may be misread.

    In any encoding but UTF-8, a file whose name has an umlaut is not found by the path given, and its name cannot be
    written to tables, which are UTF-8. Python uses UTF-8 unless a locale with another encoding, or `PYTHONUTF8=0`, is
    set; this cannot be changed while Python runs.

    Args:
        encoding: That of file names; if None, that of this process.

    Returns:
        What is wrong and what to do; None if names are read as UTF-8.
    """
    encoding = encoding or sys.getfilesystemencoding()
    if codecs.lookup(encoding).name == "utf-8":
        return None
    return (
        f"File names are read as {encoding} here, so images whose path has an umlaut would be lost. "
        "Set the environment variable PYTHONUTF8=1 and run again."
    )
