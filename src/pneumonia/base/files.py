"""Files that appear whole or not at all, their checksums, and folders with one writer at a time."""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pneumonia.base.errors import UserError, explain

logger = logging.getLogger(__name__)

# Prefix of unfinished files and folders. A killed process leaves them behind; no reader takes them for finished ones.
PART = ".pneumonia-part-"
# How versions are called: the time at which a run started.
VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")
# Seconds without a change after which no process can still be writing them.
ABANDONED_AFTER = 3600.0
# How long to wait for another run, in seconds: on a file system without locks, a killed run leaves its lock behind.
LONGEST_WAIT = 3600.0
# Begins the comment of a checksum that says for which file it was written.
_WRITTEN_AS = b"# written as "


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
        raise UserError(f"Could not write {explain(error, path)}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


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
        raise UserError(f"Could not write {explain(error, path)}") from error
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
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_path(path: Path) -> Path:
    """Return the path of a file's checksum."""
    return path.with_name(path.name + ".sha256")


def write_with_checksum(path: Path, content: bytes) -> None:
    """Write the checksum, as `sha256sum --check` reads it, then the file, so that no newest file lacks its checksum.

    A comment, which `sha256sum` passes over, says where the file belongs, so that the file of another run is known as
    one though the right checksum is beside it.
    """
    line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode()
    write_whole(checksum_path(path), line + _written_as(path))
    write_whole(path, content)


def read_as_written(path: Path, *, needs_checksum: bool = False) -> bytes:
    """Read a file, unless it has changed since it was written, or belongs elsewhere.

    Args:
        path: The file.
        needs_checksum: Whether one without a checksum is refused. Otherwise it is read, and said to be unchecked: files
            of older releases have none.

    Raises:
        OSError: If it is no file, or cannot be read.
        UserError: If its checksum is not that of the file or that of another one, or is missing and needed.
    """
    content, beside = regular(path).read_bytes(), checksum_path(path)
    on_purpose = f"sha256sum {path.name} > {beside.name} (in its folder)"
    if is_missing(beside):
        if needs_checksum:
            raise UserError(
                f"{path} has no checksum, so it cannot be checked for damage. If you trust it: {on_purpose}."
            )
        logger.warning("%s has no checksum: an older release wrote it, or it was removed. It is used unchecked.", path)
        return content
    digest, _, said = regular(beside).read_bytes().partition(b"\n")
    if digest.split()[:1] != [hashlib.sha256(content).hexdigest().encode()]:
        raise UserError(
            f"{path} has changed since it was written: it was truncated or edited. Remove it and run again, or, "
            f"if you edited it on purpose: {on_purpose}."
        )
    if said and said != _written_as(path):
        there = said.removeprefix(_WRITTEN_AS).decode(errors="replace").strip()[:200]
        raise UserError(
            f"{path} belongs elsewhere: its checksum was written for {there}. Remove it and run again, or, if you put "
            f"it here on purpose: {on_purpose}."
        )
    return content


def _written_as(path: Path) -> bytes:
    """Return the comment that tells a file from those of other runs, by its version, or folder, and its name."""
    return _WRITTEN_AS + f"{path.parent.name}/{path.name}\n".encode()


def read_record(path: Path, *, needs_checksum: bool = False) -> Any:
    """Read JSON, unless it has changed since it was written: as `read_as_written` does.

    Raises:
        OSError: If it is no file, or cannot be read.
        UserError: If it is damaged, or its checksum is not that of the file.
    """
    try:
        return json.loads(read_as_written(path, needs_checksum=needs_checksum).decode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}). Remove it and run the pipeline that makes it.") from error


def regular(path: Path) -> Path:
    """Return the path of a file, after a look at its kind: a pipe in its place would be read without end.

    Raises:
        OSError: If there is none, or something else is in its place.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENODEV
        raise OSError(number, "Is a folder" if stat.S_ISDIR(mode) else "Is no file", str(path))
    return path


def is_missing(path: Path) -> bool:
    """Tell whether there is nothing at a path, not even a link that leads nowhere, there or in a folder above.

    Raises:
        OSError: If that cannot be told.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
        above.stat()
        return True
    return False


def find_entries(folder: Path, suffix: str = "") -> list[Path]:
    """Return what is in a folder, by name, without hidden files; nothing if there is no such folder.

    Raises:
        OSError: If it cannot be listed: `glob` would take it for empty.
    """
    if is_missing(folder):
        return []
    with os.scandir(folder) as scan:
        names = sorted(entry.name for entry in scan if entry.name.endswith(suffix) and not entry.name.startswith("."))
    return [folder / name for name in names]


def find_versions(place: Path) -> dict[str, Path]:
    """Return the file of each version of what is kept at a place, by version, the newest first.

    A version has the form of a time and holds something of the name of the place. What else lies there, such as a copy
    that somebody made, is none.

    Raises:
        OSError: If that cannot be told.
    """
    files = {folder.name: folder / place.name for folder in find_entries(place) if VERSION.fullmatch(folder.name)}
    return {version: file for version, file in sorted(files.items(), reverse=True) if not is_missing(file)}


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
        raise UserError(f"Could not write to {explain(error, error.filename or folder)}") from error
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
