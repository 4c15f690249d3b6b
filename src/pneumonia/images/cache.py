"""Facts about files that were examined before, in an SQLite file that survives a kill at any moment."""

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pneumonia.base.sqlite import opened
from pneumonia.images.examine import Facts
from pneumonia.images.grouping import PatientKey

logger = logging.getLogger(__name__)

# How long to wait for another run that is writing, in seconds.
_PATIENCE = 60

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS facts (
    source TEXT, path TEXT, stamp TEXT, {", ".join(f"{name} NOT NULL" for name in Facts._fields)}, checksum NOT NULL,
    PRIMARY KEY (source, path)
) WITHOUT ROWID
"""
_FIND = f"SELECT {', '.join(Facts._fields)}, checksum FROM facts WHERE source = ? AND path = ? AND stamp = ?"
_WRITE = f"INSERT OR REPLACE INTO facts VALUES ({', '.join('?' * (4 + len(Facts._fields)))})"


class _OtherLayoutError(sqlite3.DatabaseError):
    """A cache with other columns, which is sound."""


class FileState(NamedTuple):
    """The present state of a file at a source. The stamp decides whether earlier facts still hold."""

    path: str
    stamp: str


class IndexCache:
    """The cache at a path. It is made when it is first written to."""

    def __init__(self, path: Path) -> None:
        """Take the path."""
        self.path = path
        self.patient_key = PatientKey(path.with_name("patient_key"))

    @contextmanager
    def open(self, source: str) -> Iterator["SourceFacts"]:
        """Open the part that belongs to one source.

        A damaged cache is removed, with a warning, and started over: all of its content can be found again.

        Raises:
            UserError: If it cannot be written.
        """
        advice = (
            "Free some space, fix the permissions or wait for the other run, then run again; removing the file is safe."
        )
        with opened(self.path, "index cache", advice, self._connect) as connection:
            yield SourceFacts(connection, source)

    def _connect(self) -> sqlite3.Connection:
        try:
            return _checked_connection(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            fault = error if isinstance(error, _OtherLayoutError) else f"is damaged ({error})"
            logger.warning("The index cache %s %s: reading all images again.", self.path, fault)
            for name in (self.path.name, f"{self.path.name}-journal"):
                self.path.with_name(name).unlink(missing_ok=True)
            return _checked_connection(self.path)


class SourceFacts:
    """Facts about the files of one source."""

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        """Take an open connection and the source's full address."""
        self._connection = connection
        self._source = source

    def find(self, state: FileState) -> Facts | None:
        """Return the facts about a file, if it has not changed since."""
        row = self._connection.execute(_FIND, (self._source, *state)).fetchone()
        if row is None or row[-1] != _checksum(state, row[:-1]):
            return None
        return Facts(*row[:-1])

    def write(self, found: Iterable[tuple[FileState, Facts]]) -> None:
        """Save the facts, all or none."""
        with self._connection:
            rows = ((self._source, *state, *facts, _checksum(state, facts)) for state, facts in found)
            self._connection.executemany(_WRITE, rows)

    def forget_all_but(self, is_there: Callable[[str], bool]) -> None:
        """Drop files that are no longer at the source."""
        paths = self._connection.execute("SELECT path FROM facts WHERE source = ?", (self._source,))
        gone = [(self._source, path) for (path,) in paths if not is_there(path)]
        if gone:
            with self._connection:
                self._connection.executemany("DELETE FROM facts WHERE source = ? AND path = ?", gone)


def _checksum(state: FileState, facts: Sequence[object]) -> int:
    """Return a checksum of a row: SQLite would not notice a changed byte in a text."""
    return zlib.crc32("\0".join(map(str, (*state, *facts))).encode())


def _checked_connection(path: Path) -> sqlite3.Connection:
    """Connect, after a check that every page of the file is sound."""
    connection = sqlite3.connect(path, timeout=_PATIENCE)
    # Damaged text must be returned, so that its checksum can refuse it.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        with connection:
            connection.execute(_SCHEMA)
        columns = [row[1] for row in connection.execute("PRAGMA table_info(facts)")]
        if columns != ["source", "path", "stamp", *Facts._fields, "checksum"]:
            raise _OtherLayoutError("was written by another release")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    except UnicodeDecodeError as error:  # sqlite3's own message, which quotes the damaged text
        connection.close()
        raise sqlite3.DatabaseError(str(error)) from error
    return connection
