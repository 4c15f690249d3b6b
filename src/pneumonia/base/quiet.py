"""Libraries that print while they start: their output is held back, and passed on if the start fails."""

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
