"""Files that appear whole or not at all, their checksums, and folders with one writer at a time."""

import errno
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pneumonia.base.errors import UserError

logger = logging.getLogger(__name__)

# Prefix of unfinished files and folders. A killed process leaves them behind; no reader takes them for finished ones.
PART = ".pneumonia-part-"
# Seconds without a change after which no process can still be writing them.
ABANDONED_AFTER = 3600.0
# How long to wait for another run, in seconds: on a file system without locks, a killed run leaves its lock behind.
LONGEST_WAIT = 3600.0


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; sync and rename it if the block ends without an error.

    Rename within one folder is atomic, so a killed process leaves either the former file or the new one.

    Args:
        path: The final place of the file. Missing folders are made.

    Yields:
        The path to write to. It has the suffix of ``path`` and does not exist yet.

    Raises:
        UserError: If the file system refuses, for example because the disk is full.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{PART}{path.stem[:80]}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        part = Path(name)
        yield part
        with part.open("r+b") as written:  # Windows syncs only what is open for writing
            os.fsync(written.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> UserError:
    return UserError(
        f"Could not write {path}: {error.strerror or error}. "
        "No existing data are lost; free some space or fix the permissions and run again."
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with whole_file(path) as part:
        part.write_bytes(data)


def write_whole_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files, whole or not at all.

    Args:
        path: The final place of the folder; nothing is there yet.
        files: Contents by path below it, with `/` between its parts.

    Raises:
        UserError: If the file system refuses.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f"{PART}{path.name}-", dir=path.parent))
        for name, content in files.items():
            write_whole(part / name, content)
        part.chmod(0o777 & ~_umask())
        part.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def find_leftovers(root: Path) -> list[Path]:
    """Find unfinished files and folders below a folder that no process is still writing."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [Path(folder, name) for name in (*folders, *files) if name.startswith(PART)]
        folders[:] = [name for name in folders if not name.startswith(PART)]
    return sorted(path for path in found if time.time() - _last_change(path) > ABANDONED_AFTER)


def _last_change(path: Path) -> float:
    """Return when a file, or anything in a folder, was last written: now, if another process is just finishing it."""
    try:
        return max(part.stat().st_mtime for part in (path, *path.rglob("*")))
    except FileNotFoundError:
        return time.time()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_path(path: Path) -> Path:
    """Return the path of a file's checksum."""
    return path.with_name(path.name + ".sha256")


def write_with_checksum(path: Path, content: bytes) -> None:
    """Write the checksum, as `sha256sum --check` reads it, then the file, so that no newest file lacks its checksum."""
    write_whole(checksum_path(path), f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode())
    write_whole(path, content)


def check_as_written(path: Path) -> None:
    """Refuse a file that has changed since it was written.

    Raises:
        UserError: If the checksum is missing or is not that of the file.
    """
    beside = checksum_path(path)
    if not beside.is_file():
        raise UserError(
            f"{path} has no checksum, so it cannot be checked for damage. If you trust it: "
            f"sha256sum {path.name} > {beside.name} (in its folder)."
        )
    said = beside.read_bytes().split()[:1]
    if said != [sha256_of_file(path).encode()]:
        raise UserError(
            f"{path} has changed since it was written: it was truncated or edited. Remove its version folder and run "
            f"again, or, if you edited it on purpose: sha256sum {path.name} > {beside.name}."
        )


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, after waiting for it; the folder is made.

    Raises:
        UserError: If it is held for too long, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("Waiting for another writer of %s.", folder)
            lock.acquire(timeout=LONGEST_WAIT)
    except Timeout as error:
        raise UserError(
            f"Another run has kept {folder} locked for over {LONGEST_WAIT / 60:.0f} minutes. Wait until it ends; if no "
            f"run is active, remove {lock.lock_file} and run again."
        ) from error
    except OSError as error:
        raise UserError(
            f"Could not write to {folder}: {error.strerror or error}. Fix the permissions and run again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder outlive a power failure. Windows, and some network file systems, know no such thing."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Return the process's umask. It can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
