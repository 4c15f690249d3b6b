"""Reading from what may fail for a while: a disk, a share, a server. The only place that decides what a failure means.

Only what was read whole and does not decode is a bad image. Whatever else goes wrong is tried again, and ends the run.
"""

import errno
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, BinaryIO, TypeVar

from pneumonia.base.errors import UserError, hide_credentials

# How long to wait before each further attempt, in seconds.
PAUSES = (0.1, 1.0, 5.0, 15.0)
# How long to wait for an answer of a server, in seconds; some clients would wait for ever.
ANSWER = 120.0
# What the operating system says for good.
_FINAL = (
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.EINVAL, errno.ENXIO, errno.ENODEV,
)  # fmt: skip
# Fewer calls of a file at an address, whose client may answer slowly. [bytes]
_BUFFER = 1 << 16

ResultT = TypeVar("ResultT")


class UnreadableError(UserError):
    """A file that was read whole and is damaged, or that is not there."""


class LostError(UserError):
    """A file whose storage fails, although the file itself may be intact."""

    @classmethod
    def of(cls, name: str, error: BaseException) -> "LostError":
        """Say what was read, why it failed, and what to do."""
        return cls(
            f"{name} cannot be read ({reason_of(error)}). It may be intact, so it is not counted as bad: check the "
            "disk, the permissions or the connection, and run again. What was read so far is kept."
        )


class CutShortError(Exception):
    """Fewer or more bytes than there should be."""


def reason_of(error: BaseException) -> str:
    """Return why something failed, in one line without credentials, whatever type the error has."""
    text = str(getattr(error, "strerror", None) or error).strip()
    return hide_credentials(text.splitlines()[0] if text else type(error).__name__)


def patiently(name: str, read: Callable[[], ResultT]) -> ResultT:
    """Call what reads from a storage; where it fails, try again after pauses.

    Args:
        name: Of what is read.
        read: Calls the operating system or a client, whose errors may be of any type.

    Raises:
        LostError: If it goes on failing.
        UserError: As `read` does.
    """
    pauses = iter(PAUSES)
    while True:
        try:
            return read()
        except (UserError, MemoryError):
            raise
        except Exception as error:
            pause = next(pauses, None)
            if pause is None or _is_final(error):
                raise LostError.of(name, error) from error
            time.sleep(pause)


def _is_final(error: BaseException) -> bool:
    """Tell whether the operating system, and no client whose errors have numbers of their own, says it for good."""
    return isinstance(error, OSError) and type(error).__module__ == "builtins" and error.errno in _FINAL


def answered(call: Callable[[], ResultT]) -> ResultT:
    """Call what a server answers, and wait for it no longer than `ANSWER`.

    Raises:
        TimeoutError: If there is no answer; the call is left to itself.
    """
    done: Future[ResultT] = Future()

    def attempt() -> None:
        try:
            done.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised below
            done.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - a client's own, such as that its loop was cancelled
            done.set_exception(ConnectionError(f"{type(error).__name__} {error}".strip()))

    Thread(target=attempt, daemon=True).start()
    try:
        return done.result(ANSWER)
    except TimeoutError as error:
        if done.done():  # the client's own
            raise
        raise TimeoutError(errno.ETIMEDOUT, f"no answer within {ANSWER:g} seconds") from error


class Answering:
    """A file system of a client, or a file that it opened: each of its calls ends."""

    def __init__(self, inner: Any) -> None:
        """Take it."""
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        """Return an attribute, or a method that ends."""
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            result = answered(lambda: found(*arguments, **named))
            return Answering(result) if name == "open" else result

        return call


def read_patiently(name: str, read: Callable[[], bytes], size: int | None) -> bytes:
    """Read a file, or its first bytes, until as many came as should.

    Args:
        name: Of the file.
        read: Reads it.
        size: How many bytes that should give.

    Raises:
        LostError: If it goes on failing.
    """

    def read_whole() -> bytes:
        data = read()
        if size is not None and len(data) != size:
            raise CutShortError(
                f"{len(data):,} of {size:,} bytes came: it was cut short, or changed since it was listed"
            )
        return data

    return patiently(name, read_whole)


def open_patiently(name: str, open_file: Callable[[], Any]) -> BinaryIO:
    """Return a file that can be read from anywhere and, if reading fails, is opened again; archives are read from it.

    Args:
        name: Of the file.
        open_file: Opens it, as often as it is called.

    Raises:
        LostError: If it cannot be opened.
    """
    return io.BufferedReader(_PatientFile(name, open_file), _BUFFER)


class _PatientFile(io.RawIOBase):
    """The bytes of a file that may fail."""

    def __init__(self, name: str, open_file: Callable[[], Any]) -> None:
        self._name, self._open, self._file, self._place = name, open_file, None, 0
        self._size: int = patiently(name, lambda: self._opened().seek(0, os.SEEK_END))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        if self._place < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))  # as a file does
        return self._place

    def readinto(self, buffer: Any) -> int:
        wanted = max(min(len(buffer), self._size - self._place), 0)
        data = read_patiently(self._name, lambda: self._read(wanted), wanted) if wanted else b""
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._forget()
        super().close()

    def _opened(self) -> Any:
        if self._file is None:
            self._file = self._open()
        return self._file

    def _read(self, wanted: int) -> bytes:
        try:
            file = self._opened()
            file.seek(self._place)
            data: bytes = file.read(wanted)
        except BaseException:
            self._forget()
            raise
        if len(data) != wanted:
            self._forget()
        return data

    def _forget(self) -> None:
        """Close the file: what its client holds after a failure is not used."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
