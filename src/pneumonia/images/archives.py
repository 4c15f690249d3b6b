"""Archives, read in place: zip and tar. A compressed tar is unpacked once, into a temporary file without a name."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from threading import Lock
from typing import IO, Any, BinaryIO

from pneumonia.base.errors import UserError
from pneumonia.images.members import CRC_STAMP, UNSAID, ListedFile, guess_encoding, name_problem, printable
from pneumonia.images.patience import UnreadableError

# Archives that are read in place, by how their names end.
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".parquet", ".npz")
# Archives that are not, with how each begins, and what unpacks it.
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", "7z x"),
    b"Rar!\x1a\x07": ("a RAR archive", "unrar x"),
    b"\x28\xb5\x2f\xfd": ("a Zstandard archive", "tar --zstd -xf"),
    b"\x89HDF\r\n": ("an HDF5 file", ""),
    b"ARROW1": ("an Arrow file", ""),
    b"xar!": ("a xar archive", "xar -xf"),
    b"MSCF": ("a cabinet", "cabextract"),
    b"CD001": ("an image of a disc", "7z x"),
}
# Where the file system of a disc is named.
_DISC = 32_769
OTHER_SUFFIXES = (".7z", ".rar", ".zst", ".001", ".z01", ".h5", ".hdf5", ".arrow", ".iso", ".cab", ".gz", ".bz2", ".xz")
_COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
# Free space, in bytes, that unpacking leaves.
_SPARE = 1_000_000_000
_CHUNK = 1 << 20

# The end of a zip: a record of 22 bytes, and a comment of at most 65,535.
_MOST_END_BYTES = 22 + 65_535
# How Python unpacks members of a zip.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)

DAMAGED = (OSError, EOFError, ValueError, NotImplementedError, tarfile.TarError, zlib.error, lzma.LZMAError)


class ZipStorage:
    """A zip archive: nothing is unpacked to disk."""

    remark = ""

    def __init__(self, identity: str, file: BinaryIO) -> None:
        """Open the archive.

        Raises:
            UserError: If its list of contents cannot be read.
        """
        self.identity = identity
        if _is_part(file):
            raise UserError(f"{identity} is the last part of a zip archive. {_unpack('7z x', identity)}")
        try:
            self._zip = zipfile.ZipFile(file)
            unsaid = [info.filename.encode(UNSAID) for info in self._zip.infolist() if not info.flag_bits & 0x800]
            encoding = guess_encoding(unsaid)
            if encoding != UNSAID:
                self._zip = zipfile.ZipFile(file, metadata_encoding=encoding)
        except (zipfile.BadZipFile, UnicodeError, NotImplementedError, EOFError) as error:
            raise UserError(
                f"{identity} is not a complete zip archive ({error}). Name the folder of the images, or their zip; if "
                "it is a zip, its download was incomplete: download it again."
            ) from error

        packed = [info for info in self._zip.infolist() if not _is_folder(info)]
        unread = {_packing_problem(info) for info in packed}
        if packed and "" not in unread:
            raise UserError(f"Nothing in {identity} can be read in place: {min(unread)}. {_unpack('7z x', identity)}")

    def members(self) -> Iterator[ListedFile]:
        """List the archive's files. Members that could harm a careless unpacker get a problem."""
        seen: set[str] = set()
        for info in self._zip.infolist():
            if _is_folder(info):
                continue
            name = info.filename.replace("\\", "/") or "(no name)"
            problem = _zip_problem(info, name) or name_problem(name)
            if name in seen and not problem:
                problem = "second archive member of the same name"
            seen.add(name)
            yield ListedFile(printable(name), info, info.file_size, f"{CRC_STAMP}{info.CRC:08x}", problem)

    def read(self, key: zipfile.ZipInfo, n_bytes: int = -1) -> bytes:
        """Read one member, whose CRC `zipfile` checks, or its first bytes."""
        wanted = key.file_size if n_bytes < 0 else min(n_bytes, key.file_size)
        with self._open(key) as file:
            content = file.read(n_bytes)
            if len(content) != wanted:
                raise zipfile.BadZipFile(f"{len(content):,} of {wanted:,} bytes are in the archive")
            return content

    def open(self, key: zipfile.ZipInfo) -> BinaryIO:
        """Return a member as a file that can be read from anywhere."""
        with self._open(key) as file:
            return _copy(file)

    @contextmanager
    def _open(self, key: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """Open a member; while it is read, whatever fails is damage of the archive, as its storage fails otherwise.

        Raises:
            UnreadableError: If it is damaged.
        """
        try:
            with self._zip.open(key) as file:
                yield file
        except (*DAMAGED, RuntimeError, zipfile.BadZipFile) as error:
            if getattr(error, "errno", None):  # no space for its content
                raise
            reason = f"its name is damaged: {error}" if isinstance(error, UnicodeDecodeError) else error
            raise UnreadableError(f"{printable(key.filename)} cannot be read ({reason}).") from error


class TarStorage:
    """A tar archive that is not compressed, or no longer."""

    remark = ""

    def __init__(self, identity: str, file: BinaryIO, stamp: str = "") -> None:
        """Read the list of its contents.

        Args:
            identity: Its address in full.
            file: The archive.
            stamp: Changes when the archive is rewritten: its members have no checksums.

        Raises:
            UserError: If it is damaged or cut.
        """
        self.identity, self._file, self._stamp, self._lock = identity, file, stamp, Lock()
        try:
            with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
                self._infos = [info for info in archive if not info.isdir()]
        except DAMAGED as error:
            raise UserError(
                f"{identity} is not a complete tar archive ({error}). Its download may be incomplete: repeat it."
            ) from error
        raw = [info.name.encode("utf-8", "surrogateescape") for info in self._infos]
        encoding = guess_encoding(raw, "utf-8")
        self._names = [name.decode(encoding, "surrogateescape") for name in raw]

    def members(self) -> Iterator[ListedFile]:
        """List the archive's files. Members that could harm a careless unpacker get a problem."""
        seen: set[str] = set()
        for info, name in zip(self._infos, self._names, strict=True):
            problem = _tar_problem(info, name) or name_problem(name)
            if name in seen and not problem:
                problem = "second archive member of the same name"
            seen.add(name)
            stamp = self._stamp and f"{self._stamp}-{info.offset_data}"
            yield ListedFile(printable(name.removeprefix("./")), info, info.size, stamp, problem)

    def read(self, key: tarfile.TarInfo, n_bytes: int = -1) -> bytes:
        """Read one member, or its first bytes."""
        with self._lock:
            self._file.seek(key.offset_data)
            return self._file.read(key.size if n_bytes < 0 else min(key.size, n_bytes))

    def open(self, key: tarfile.TarInfo) -> BinaryIO:
        """Return a member as a file that can be read from anywhere."""
        return io.BytesIO(self.read(key))


def unpack(identity: str, file: BinaryIO) -> BinaryIO:
    """Return the content of a compressed file, or the file itself if it is not compressed.

    Raises:
        UserError: If it is damaged, or larger than the space for temporary files.
    """
    opener = next((opener for magic, opener in _COMPRESSED.items() if _start(file).startswith(magic)), None)
    if opener is None:
        return file
    try:
        with opener(file, "rb") as content:
            return _copy(content)
    except DAMAGED as error:
        raise UserError(
            f"{identity} is damaged or cut, or {tempfile.gettempdir()} has no space for its content ({error}). "
            "Download it again, or unpack it and name its folder."
        ) from error


def is_tar(file: BinaryIO) -> bool:
    """Tell whether a file is a tar archive, by its content: the checksum of its first header."""
    try:
        return bool(tarfile.TarInfo.frombuf(_start(file, tarfile.BLOCKSIZE), "utf-8", "surrogateescape").name)
    except tarfile.TarError:
        return False


def refuse_other(identity: str, file: BinaryIO) -> None:
    """Name an archive that is not read in place, and say what to do.

    Raises:
        UserError: If it is one.
    """
    start = _start(file, _DISC + 5)
    for magic, (kind, command) in _OTHERS.items():
        if start.startswith(magic) or start[_DISC:] == magic:
            other = "Write its images into a folder and name it: --params=images=FOLDER."
            how = _unpack(command, identity) if command else other
            raise UserError(f"{identity} is {kind}, which is not read in place. {how}")


def _start(file: BinaryIO, n_bytes: int = 16) -> bytes:
    file.seek(0)
    start = file.read(n_bytes)
    file.seek(0)
    return start


def _copy(content: IO[bytes]) -> BinaryIO:
    """Copy a stream to a temporary file, while there is space.

    Raises:
        OSError: If there is not.
    """
    copied: Any = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the archive is read
    while chunk := content.read(_CHUNK):
        if shutil.disk_usage(tempfile.gettempdir()).free < _SPARE:
            copied.close()
            raise OSError(28, os.strerror(28))
        copied.write(chunk)
    copied.seek(0)
    return copied


def _tar_problem(info: tarfile.TarInfo, name: str) -> str:
    """Say why an archive member is refused."""
    if info.issym() or info.islnk():
        return "link in the archive"
    if not info.isreg() or info.issparse():
        return "not a regular file"
    return "damaged: its size cannot be read" if info.size < 0 else _path_problem(name)


def _zip_problem(info: zipfile.ZipInfo, name: str) -> str:
    """Say why an archive member is refused."""
    if problem := _path_problem(name) if info.filename else "archive member without a name":
        return problem
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link in the archive"
    return _packing_problem(info)


def _packing_problem(info: zipfile.ZipInfo) -> str:
    """Say why a member cannot be unpacked here."""
    if info.flag_bits & 0x1:
        return "encrypted archive member"
    return "" if info.compress_type in _METHODS else "packed in a way that is not read"


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a folder; Python's own `is_dir` fails at one without a name."""
    return info.filename.endswith("/")


def _is_part(file: BinaryIO) -> bool:
    """Tell whether a zip says at its end that it began in another file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _MOST_END_BYTES, 0))
    _, signature, end = file.read(_MOST_END_BYTES).rpartition(b"PK\5\6")
    return bool(signature) and end[:2] not in (b"\0\0", b"\xff\xff")


def _unpack(command: str, identity: str) -> str:
    return f"Unpack it ({command} {PurePosixPath(identity).name}) and name the folder: --params=images=FOLDER."


def _path_problem(name: str) -> str:
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "absolute path in the archive"
    return "path that leads out of the archive (..)" if ".." in PurePosixPath(name).parts else ""
