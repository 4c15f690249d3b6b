"""Where files are: a folder, a zip or `.npz` read in place, or an fsspec address. Nothing is ever written there."""

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, Protocol

from pneumonia.base.errors import UserError, hide_credentials
from pneumonia.images import medmnist
from pneumonia.images.folders import FileStorage, FolderStorage
from pneumonia.images.members import Member, name_problem, printable

IMAGE_SUFFIXES = frozenset(
    [".jpeg", ".jpg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".dcm", ".dicom", ".dic"]
)

KAGGLE = "kaggle"
KAGGLE_DATASET = "paultimothymooney/chest-xray-pneumonia"

# Prefix of the stamps of a storage that lists checksums of the content.
CRC_STAMP = "crc32:"

# What fsspec file systems report that changes when a file is rewritten.
_STAMP_KEYS = (
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "version_id",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
)

# What reading one file may raise: the operating system, a remote file system, or a damaged zip member.
READ_ERRORS = (OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Storage(Protocol):
    """A place that lists files and reads them.

    Attributes:
        identity: Its address in full.
        remark: What anyone who evaluates a model on its images must know; empty if nothing.
    """

    identity: str
    remark: str

    def members(self) -> Iterator[Member]:
        """List every file, in any order."""

    def read(self, key: Any) -> bytes:
        """Read one file."""


class ZipStorage:
    """A zip archive, read in place: nothing is unpacked to disk."""

    remark = ""

    def __init__(self, identity: str, file: BinaryIO) -> None:
        """Open the archive.

        Raises:
            UserError: If its list of contents cannot be read.
        """
        self.identity = identity
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, EOFError) as error:
            raise UserError(
                f"{identity} is not a complete zip archive ({error}). Name the folder of the images, or their zip; if "
                "it is a zip, its download was incomplete: download it again."
            ) from error

    def members(self) -> Iterator[Member]:
        """List the archive's files. Members that could harm a careless unpacker get a problem."""
        seen: set[str] = set()
        for info in self._zip.infolist():
            if info.is_dir():
                continue
            name = info.filename.replace("\\", "/")
            problem = _zip_problem(info, name) or name_problem(name)
            if name in seen and not problem:
                problem = "second archive member of the same name"
            seen.add(name)
            yield Member(printable(name), info, info.file_size, f"{CRC_STAMP}{info.CRC:08x}", problem)

    def read(self, key: zipfile.ZipInfo) -> bytes:
        """Read one member; `zipfile` checks its CRC."""
        return self._zip.read(key)


class FsspecStorage:
    """A folder that fsspec reads, such as `s3://bucket/chest_xray`."""

    remark = ""

    def __init__(self, identity: str, file_system: Any, root: str) -> None:
        """Describe the folder."""
        self.identity = identity
        self._file_system = file_system
        self._root = root.rstrip("/")

    def members(self) -> Iterator[Member]:
        """List every file below the folder."""
        found: dict[str, dict[str, Any]] = self._file_system.find(self._root, detail=True)
        for key, info in found.items():
            name = key[len(self._root) :].lstrip("/") or PurePosixPath(key).name
            stamp = "|".join(str(info[key]) for key in _STAMP_KEYS if info.get(key) is not None)
            yield Member(printable(name), key, int(info.get("size") or 0), stamp, name_problem(name))

    def read(self, key: str) -> bytes:
        """Read one file."""
        content: bytes = self._file_system.cat_file(key)
        return content


def open_storage(address: str) -> Storage:
    """Open a folder, a zip, a file of MedMNIST, an fsspec address, or `kaggle`.

    Raises:
        UserError: If there is nothing at the address, it cannot be read or is damaged, or the package that reads it is
            missing.
    """
    if address == KAGGLE:
        return FolderStorage(Path(download_from_kaggle()))
    if "://" in address:
        return _open_fsspec(address)
    path = Path(address).expanduser()
    try:
        if path.is_dir():
            os.scandir(path).close()
            return FolderStorage(path)
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
            path.open("rb").close()
            return FileStorage(path)
        if path.is_file():
            return _open_archive(str(path.resolve()), path.suffix, path.open("rb"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Fix the path or its permissions.") from error
    raise UserError(
        f"There are no images at {path.resolve()}. Put the Kaggle folder or its zip there, or name its location: "
        "kedro run --params=images=PATH (relative to the project's folder, or absolute). "
        "To try the project without images: kedro run --env=demo."
    )


def _open_archive(identity: str, suffix: str, file: BinaryIO) -> Storage:
    return medmnist.NpzStorage(identity, file) if suffix.lower() == medmnist.SUFFIX else ZipStorage(identity, file)


def _open_fsspec(address: str) -> Storage:
    """Open an address that fsspec knows; a zip there is read in place too."""
    import fsspec

    shown = hide_credentials(address)
    try:
        file_system, root = fsspec.url_to_fs(address)
        if not file_system.exists(root):
            raise FileNotFoundError(2, "no such file or folder", address)
        if file_system.isfile(root) and PurePosixPath(root).suffix.lower() in IMAGE_SUFFIXES:
            return FsspecStorage(shown, file_system, root)
        if file_system.isfile(root):
            return _open_archive(shown, PurePosixPath(root).suffix, file_system.open(root, "rb"))
    except ImportError as error:
        raise UserError(
            f"The images are at {shown}, which needs another package: {hide_credentials(str(error))}."
        ) from error
    except (OSError, ValueError) as error:
        reason = hide_credentials(str(error))
        raise UserError(
            f"The images at {shown} cannot be reached ({reason}). Check the address and your credentials."
        ) from error
    return FsspecStorage(shown, file_system, root)


def download_from_kaggle() -> str:
    """Download Kaggle's archive, or find an earlier download of `kagglehub`; return its folder.

    Raises:
        UserError: If `kagglehub` is not installed, or Kaggle cannot be reached.
    """
    by_hand = (
        f"Or download the zip by hand from kaggle.com/datasets/{KAGGLE_DATASET} and give its place: "
        "kedro run --params=images=PATH."
    )
    try:
        import kagglehub
        from kagglehub import exceptions
    except ImportError as error:
        raise UserError(
            f'images=kaggle needs kagglehub: pip install -c constraints.txt -e ".[kaggle]". {by_hand}'
        ) from error
    refusals = (exceptions.CredentialError, exceptions.UnauthenticatedError, exceptions.BackendError)
    try:
        return str(kagglehub.dataset_download(KAGGLE_DATASET))
    except (OSError, ValueError, exceptions.DataCorruptionError, *refusals) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"Kaggle's archive could not be downloaded ({reason[:200]}). {by_hand}") from error


def _zip_problem(info: zipfile.ZipInfo, name: str) -> str:
    """Say why an archive member is refused."""
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "absolute path in the archive"
    if ".." in PurePosixPath(name).parts:
        return "path that leads out of the archive (..)"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link in the archive"
    return "encrypted archive member" if info.flag_bits & 0x1 else ""
