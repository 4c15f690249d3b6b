"""Where files are: a folder, archives read in place, or an fsspec address. Nothing is ever written there."""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pneumonia.base.errors import UserError, hide_credentials
from pneumonia.images.containers import Storage, look_inside, open_archive
from pneumonia.images.dicom_values import is_dicom
from pneumonia.images.folders import FileStorage, FolderStorage
from pneumonia.images.members import IMAGE_SUFFIXES, ListedFile, name_problem, printable
from pneumonia.images.patience import Answering, LostError, answered, open_patiently, patiently, reason_of

KAGGLE = "kaggle"
KAGGLE_DATASET = "paultimothymooney/chest-xray-pneumonia"

# Of a file, what tells whether it is DICOM.
_FIRST_BYTES = 256
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


class FsspecStorage:
    """A folder that fsspec reads, such as `s3://bucket/chest_xray`."""

    remark = ""

    def __init__(self, identity: str, file_system: Any, root: str) -> None:
        """Describe the folder."""
        self.identity = identity
        self._file_system = file_system
        self._root = root.rstrip("/")

    def members(self) -> Iterator[ListedFile]:
        """List every file below the folder. fsspec's own `find` and `walk` leave out folders that fail."""
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            shown = f"{self.identity}{folder[len(self._root) :]}"
            for info in patiently(shown, lambda: self._file_system.ls(folder, detail=True)):  # noqa: B023 - called now
                key: str = info["name"]
                name = key[len(self._root) :].lstrip("/") or PurePosixPath(key).name
                if info.get("type") == "directory":
                    waiting += [key] if key.rstrip("/") != folder.rstrip("/") else []
                elif not key.endswith("/"):  # an empty object in the place of a folder
                    yield ListedFile(printable(name), key, self._size(key, info), stamp_of(info), name_problem(name))

    def read(self, key: str, n_bytes: int = -1) -> bytes:
        """Read one file, or its first bytes."""
        return self._file_system.cat_file(key, end=n_bytes if n_bytes >= 0 else None)

    def open(self, key: str) -> BinaryIO:
        """Return a file that can be read from anywhere."""
        return open_patiently(f"{self.identity}{key[len(self._root) :]}", lambda: self._file_system.open(key, "rb"))

    def _size(self, key: str, info: Mapping[str, Any]) -> int:
        """Return the size of a file, if need be by asking for it alone, or by reading it."""
        size = info.get("size")
        if size is None:
            size = patiently(key, lambda: self._file_system.size(key))
        return len(patiently(key, lambda: self.read(key))) if size is None else int(size)


def stamp_of(info: Mapping[str, Any]) -> str:
    """Return what changes when a file is rewritten, as far as its file system reports it."""
    return "|".join(str(info[key]) for key in _STAMP_KEYS if info.get(key) is not None)


def open_storage(address: str) -> Storage:
    """Open a folder, an archive, a file of MedMNIST, Parquet files, an fsspec address, or `kaggle`.

    Raises:
        UserError: If there is nothing at the address, it cannot be read or is damaged, or the package that reads it is
            missing.
    """
    if address == KAGGLE:
        return look_inside(FolderStorage(Path(download_from_kaggle())))
    if "://" in address:
        return _open_fsspec(address)
    path = expanded(address)
    try:
        if path.is_dir():
            os.scandir(path).close()
            return look_inside(FolderStorage(path))
        if path.is_file():
            with path.open("rb") as file:
                is_image = is_dicom(file.read(_FIRST_BYTES)) or path.suffix.lower() in IMAGE_SUFFIXES
            if is_image:
                return FileStorage(path)
            status = path.stat()
            stamp = f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
            return open_archive(
                str(path.resolve()), path.name, open_patiently(str(path), lambda: path.open("rb")), stamp
            )
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Fix the path or its permissions.") from error
    raise UserError(
        f"There are no images at {path.absolute()}. Put the Kaggle folder or its zip there, or name its location: "
        "kedro run --params=images=PATH (relative to the project's folder, or absolute). "
        "To try the project without images: kedro run --env=demo."
    )


def expanded(address: str) -> Path:
    """Return a path with the home folder in place of `~`.

    Raises:
        UserError: If there is no such user.
    """
    try:
        return Path(address).expanduser()
    except RuntimeError as error:
        raise UserError(f"{address} begins with a user who is not known here. Name the whole path.") from error


def _open_fsspec(address: str) -> Storage:
    """Open an address that fsspec knows; an archive there is read in place too."""
    import fsspec

    shown = hide_credentials(address)
    try:
        found, root = answered(lambda: fsspec.url_to_fs(address))
        file_system = Answering(found)
        info = patiently(shown, lambda: _describe(file_system, root))
    except ImportError as error:
        raise UserError(
            f"The images are at {shown}, which needs another package: {hide_credentials(str(error))}."
        ) from error
    except Exception as error:  # a client's own errors are of any type
        reason = reason_of(error.__cause__ if isinstance(error, LostError) and error.__cause__ else error)
        raise UserError(
            f"The images at {shown} cannot be reached ({reason}). Check the address and your credentials."
        ) from error
    storage = FsspecStorage(shown, file_system, root)
    if info.get("type") == "directory":
        return look_inside(storage)
    if PurePosixPath(root).suffix.lower() in IMAGE_SUFFIXES:
        return storage
    return open_archive(shown, PurePosixPath(root).name, storage.open(root), stamp_of(info))


def _describe(file_system: Any, root: str) -> dict[str, Any]:
    """Return what a file system says of an address; its `exists` would take a lost connection for an empty place.

    Raises:
        OSError: If there is nothing, or it cannot be reached.
    """
    try:
        return file_system.info(root)
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file or folder") from error


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
    except ImportError as error:
        raise UserError(
            f'images=kaggle needs kagglehub: pip install -c constraints.txt -e ".[kaggle]". {by_hand}'
        ) from error
    try:
        return str(kagglehub.dataset_download(KAGGLE_DATASET))
    except Exception as error:  # a client's own errors are of any type
        raise UserError(f"Kaggle's archive could not be downloaded ({reason_of(error)[:200]}). {by_hand}") from error
