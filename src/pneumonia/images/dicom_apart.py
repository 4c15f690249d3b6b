"""Decoding compressed DICOM images in processes of their own: GDCM aborts its process at some that are damaged.

A process that a damaged image ends costs that image alone. The processes live as long as this one, one for each thread
that decodes at the same time, and start with the first compressed image.
"""

import atexit
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pneumonia.base.errors import UserError
from pneumonia.images.status import RefusedError

_ROOT = Path(__file__).parents[2]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from pneumonia.images import dicom_apart; dicom_apart.serve()"
_LENGTH = struct.Struct("<Q")
# How a process ends that the image ends: by the decoder's own decision, or by what it does to memory.
_BY_THE_IMAGE = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


class Request(NamedTuple):
    """An image to decode, as `decode` takes it."""

    syntax: str
    shape: tuple[int, int]
    allocated: int
    stored: int
    pixel_data: bytes
    representation: str = "OB"


def decode(request: Request) -> npt.NDArray[Any]:
    """Decode the allocated bits of an image, `[rows, columns]`, telling pydicom only what its decoders need.

    Raises:
        ValueError: Or what else pydicom raises, if it is damaged.
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID, JPEGBaseline8Bit

    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = UID(request.syntax)
    bare.Rows, bare.Columns = request.shape
    bare.SamplesPerPixel, bare.PhotometricInterpretation, bare.PixelRepresentation = 1, "MONOCHROME2", 0
    bare.BitsAllocated, bare.BitsStored, bare.HighBit = request.allocated, request.stored, request.stored - 1
    bare.add_new("PixelData", request.representation, request.pixel_data)
    bare["PixelData"].is_undefined_length = bare.file_meta.TransferSyntaxUID.is_compressed
    plugin = "pillow" if request.syntax == JPEGBaseline8Bit else ""
    values: npt.NDArray[Any] = get_decoder(UID(request.syntax)).as_array(bare, raw=True, decoding_plugin=plugin)[0]
    if values.shape != request.shape:
        raise ValueError("the shape of the pixels differs from the header")
    return values


def decode_apart(request: Request) -> npt.NDArray[Any]:
    """Decode the allocated bits of an image in another process.

    Raises:
        RefusedError: If it is damaged.
        UserError: If the process was ended from outside.
    """
    for _ in range(2):  # a process that was ended while it waited says nothing about this image
        helper = _take()
        try:
            answer = helper.ask(pickle.dumps(request))
        except (OSError, EOFError):
            code = helper.close()
            if -code in _BY_THE_IMAGE:
                raise RefusedError("damaged: its pixel data end the decoder") from None
            continue
        _idle().append(helper)
        kind, content = pickle.loads(answer)
        if kind == "error":
            raise RefusedError(f"damaged: its pixel data cannot be decoded ({content})")
        return np.frombuffer(content, kind).reshape(request.shape)
    raise UserError(
        f"The process that decodes DICOM images was ended ({code}); perhaps memory is short. Run again: what was read "
        "is kept."
    )


def serve() -> None:
    """Answer requests until the pipe is closed."""
    from pneumonia.images.dicom import ERRORS, load_pydicom

    load_pydicom()
    pipe, out = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a decoder prints
    while head := pipe.read(_LENGTH.size):
        request = pickle.loads(pipe.read(*_LENGTH.unpack(head)))
        try:
            values = decode(request)
            answer = pickle.dumps((values.dtype.str, values.tobytes()))
        except ERRORS as error:
            answer = pickle.dumps(("error", type(error).__name__))
        out.write(_LENGTH.pack(len(answer)) + answer)
        out.flush()


class _Helper:
    """A process that decodes."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            UserError: If it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # what interrupts this process must not count as damage
            )
        except OSError as error:
            raise UserError(f"The process that decodes DICOM images cannot be started ({error}). Run again.") from error

    def ask(self, request: bytes) -> bytes:
        """Send a request and return the answer.

        Raises:
            OSError: Like EOFError, if the process ended.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(_LENGTH.pack(len(request)) + request)
        self._process.stdin.flush()
        head = self._process.stdout.read(_LENGTH.size)
        answer = self._process.stdout.read(*_LENGTH.unpack(head)) if len(head) == _LENGTH.size else b""
        if not answer:
            raise EOFError
        return answer

    def close(self) -> int:
        """End the process, if it has not ended; return its exit code."""
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                pass  # what was not sent cannot be sent any more
        return self._process.wait()


_lock = threading.Lock()
_helpers: dict[int, list[_Helper]] = {}  # by process: a copy of this one must not use the same pipes


def _idle() -> list[_Helper]:
    return _helpers.setdefault(os.getpid(), [])


def _take() -> _Helper:
    """Return a process that waits, or a new one."""
    with _lock:
        waiting = _idle()
        return waiting.pop() if waiting else _Helper()


@atexit.register
def _close_all() -> None:
    for helper in _idle():
        helper.close()
