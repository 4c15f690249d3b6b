"""The start of a process: how it reads file names, and TensorFlow without its messages."""

import codecs
import logging
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, pairwise

_TAKEN_ONCE = ("--params", "--load-versions")  # options of which Kedro takes the last
# Images in `--params` whose path has what configuration takes for the beginning of a reference.
_IMAGES_WITH_REFERENCE = re.compile(r"\bimages[.\w]*=[^,]*\$\{")
# Standard error belongs to the process: two threads that hold it back would each restore the other's.
_starting = threading.Lock()


@contextmanager
def held_back_stderr() -> Iterator[None]:
    """Hold back what is written to the process's standard error, by C libraries too; pass it on after an exception.

    What is logged is not held back: a run goes on saying how far it is, however long a library takes to start.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        consoles = [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        ]
        aside = os.fdopen(before, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for console in consoles:
            console.setStream(aside)
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
            for console in consoles:
                console.setStream(sys.stderr)
            os.close(before)


def start_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, without its messages about missing GPUs.

    Keras gets its own defaults back: a `keras.json` in the home folder would change results, and no record would tell.
    """
    with _starting, held_back_stderr():
        import keras
        import tensorflow as tf

        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        keras.config.set_image_data_format("channels_last")
        tf.config.list_physical_devices()


def mend_process() -> None:
    """Make good what a shell may have taken from this process and what would end it unseen, or for no good reason.

    Without standard error, a bar writes to nothing, and messages of C libraries to whatever file is opened next. With
    warnings as errors, another package's notes end a run.
    """
    try:
        os.fstat(2)
    except OSError:
        opened = os.open(os.devnull, os.O_WRONLY)
        if opened != 2:
            os.dup2(opened, 2)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process
    if any(option.startswith("error") for option in sys.warnoptions):
        sys.warnoptions[:] = [option for option in sys.warnoptions if not option.startswith("error")]
        os.environ.pop("PYTHONWARNINGS", None)  # processes that this one starts have it too
        warnings.resetwarnings()


def tell_argument_problem(arguments: Sequence[str]) -> str | None:
    """Say which argument Kedro could not read, nor name in a sentence.

    Args:
        arguments: Of the command line.
    """
    for argument in arguments:
        if any("\ud800" <= letter <= "\udfff" for letter in argument):
            shown = argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            return f"{shown} is not UTF-8. Rename the file or folder, or name a link to it."
        if _IMAGES_WITH_REFERENCE.search(argument):
            return f"{argument}: ${{ would be taken for a reference. Rename the file or folder, or name a link to it."
    return _tell_repetition(arguments)


def _tell_repetition(arguments: Sequence[str]) -> str | None:
    """Say which values Kedro would pass over for others without a word."""
    for option in _TAKEN_ONCE:
        after = [value for name, value in pairwise(arguments) if name == option]
        values = after + [one.partition("=")[2] for one in arguments if one.startswith(f"{option}=")]
        if len(values) > 1:
            return f"{option} is given {len(values)} times: put all into one, {option}={','.join(values)}."
        keys = [item.partition("=")[0].strip() for item in ",".join(values).split(",") if "=" in item]
        for key, other in combinations(keys, 2):
            if f"{other}.".startswith(f"{key}.") or f"{key}.".startswith(f"{other}."):
                return f"{option} sets {key} and {other}, of which one replaces the other. Leave one out."
    return None


def tell_backend_problem() -> str | None:
    """Say what is wrong with the backend that is set for Matplotlib, which could draw no figure at the end of a run."""
    if "MPLBACKEND" not in os.environ:
        return None
    try:
        import matplotlib  # noqa: F401 - only where it is set
    except ValueError as error:
        reason = str(error).partition(";")[0][:200]
        return f"The environment variable MPLBACKEND is wrong ({reason}). Unset it and run again."
    return None


def tell_temporary_problem() -> str | None:
    """Say that there is no folder for temporary files, which TensorFlow's start and figures need."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return (
            "No folder for temporary files can be written to, not even /tmp or the current one. Set the environment "
            "variable TMPDIR to one that can, and run again."
        )
    return None


def tell_memory_problem(least_bytes: float) -> str | None:
    """Say that this process may use too little address space: TensorFlow asks for it again and again, without end."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= least_bytes:
        return None
    return (
        f"This process may use {limit / 1e9:.1f} GB of address space (ulimit -v), and this run needs about "
        f"{least_bytes / 1e9:.0f} GB. Raise the limit and run again."
    )


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
