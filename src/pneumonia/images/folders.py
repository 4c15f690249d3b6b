"""A folder, or a single file, on this machine."""

import errno
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pneumonia.base.errors import UserError
from pneumonia.images.members import ListedFile, name_problem, printable
from pneumonia.images.patience import LostError, open_patiently, patiently

# More than any set of radiographs has: a run on such a folder, such as the root of the machine, is a mistake.
MOST_FILES = 5_000_000

LISTED_BEFORE = "link to a folder that is listed already"
MET_BEFORE = "folder that is listed already"
# How a link fails by itself, whatever the disk does.
_LEADS_NOWHERE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)


class FolderStorage:
    """A folder on this machine. Links are followed, but each folder is listed once, by its own path if possible."""

    remark = ""

    def __init__(self, folder: Path) -> None:
        """Describe the folder."""
        self.identity = printable(str(folder.resolve()))
        self._folder = folder

    def members(self) -> Iterator[ListedFile]:
        """List every file below the folder.

        Raises:
            UserError: If a folder cannot be read, so that images would be missing, or there are more than `MOST_FILES`.
        """
        for number, member in enumerate(self._members()):
            if number == MOST_FILES:
                raise UserError(
                    f"There are more than {MOST_FILES:,} files below {self._folder}. Name the folder of the images."
                )
            yield member

    def _members(self) -> Iterator[ListedFile]:
        seen: set[tuple[int, int]] = set()
        links: list[str] = []
        yield from self._walk("", seen, links)
        for key in links:
            status = (self._folder / key).stat()
            if (status.st_dev, status.st_ino) in seen:
                yield ListedFile(printable(key), key, problem=self._circle(key))
            else:
                yield from self._walk(key, seen, links)

    def read(self, key: str, n_bytes: int = -1) -> bytes:
        """Read one file, or its first bytes."""
        # pathlib would keep every part of each path for good, so that memory would grow with the number of images.
        with open(f"{self._folder}/{key}", "rb") as file:  # noqa: PTH123
            return file.read(n_bytes)

    def open(self, key: str) -> BinaryIO:
        """Return a file that can be read from anywhere."""
        return open_patiently(printable(key), lambda: (self._folder / key).open("rb"))

    def _walk(self, top: str, seen: set[tuple[int, int]], links: list[str]) -> Iterator[ListedFile]:
        """List a folder and those below it; put links to folders off."""
        waiting = [top]
        while waiting:
            prefix = waiting.pop()
            status, entries = self._scan(prefix)
            if (status.st_dev, status.st_ino) in seen:
                yield ListedFile(printable(prefix), prefix, problem=MET_BEFORE)
                continue
            seen.add((status.st_dev, status.st_ino))
            for entry in entries:
                key = f"{prefix}/{entry.name}" if prefix else entry.name
                found = _status(key, entry)
                if isinstance(found, str):
                    yield ListedFile(printable(key), key, problem=found)
                elif not stat.S_ISDIR(found.st_mode):
                    yield _describe(key, found)
                elif entry.is_symlink():
                    links.append(key)
                else:
                    waiting.append(key)

    def _scan(self, prefix: str) -> tuple[os.stat_result, list[os.DirEntry[str]]]:
        folder = self._folder / prefix

        def scan_folder() -> tuple[os.stat_result, list[os.DirEntry[str]]]:
            with os.scandir(folder) as scan:
                return folder.stat(), sorted(islice(scan, MOST_FILES + 1), key=lambda entry: entry.name)

        return patiently(f"The folder {folder}", scan_folder)

    def _circle(self, key: str) -> str:
        target, link = (self._folder / key).resolve(), self._folder.resolve() / key
        return "link that leads back to a folder above it" if target in link.parents else LISTED_BEFORE


class FileStorage:
    """A single file on this machine."""

    remark = ""

    def __init__(self, path: Path) -> None:
        """Describe the file."""
        self.identity = printable(str(path.resolve()))
        self._path = path

    def members(self) -> Iterator[ListedFile]:
        """List the file, under its own name."""
        name = self._path.name
        yield _describe(name, patiently(name, self._path.stat))

    def read(self, key: str, n_bytes: int = -1) -> bytes:
        """Read it, or its first bytes."""
        with self._path.open("rb") as file:
            return file.read(n_bytes)


def _describe(key: str, status: os.stat_result) -> ListedFile:
    """Describe a file by its status. Its time of writing can be set at will, its time of change and inode cannot."""
    if not stat.S_ISREG(status.st_mode):
        return ListedFile(printable(key), key, problem="not a regular file")
    stamp = f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
    return ListedFile(printable(key), key, status.st_size, stamp, name_problem(key))


def _status(key: str, entry: os.DirEntry[str]) -> os.stat_result | str:
    """Return the status of an entry, or what is wrong with a link that leads nowhere.

    Raises:
        LostError: If the status of anything else cannot be had.
    """
    try:
        return patiently(printable(key), entry.stat)
    except LostError as error:
        number = getattr(error.__cause__, "errno", None)
        if number not in _LEADS_NOWHERE or not entry.is_symlink():
            raise
        if number == errno.ENOENT:
            return "link to a missing file"
        return f"link or file that cannot be followed: {os.strerror(number)}"
