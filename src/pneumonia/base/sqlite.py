"""SQLite files of this project, with their faults told in a sentence, and the one that counts scorings of images."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pneumonia.base.errors import UserError, explain
from pneumonia.base.files import is_missing, regular

_PATIENCE = 60  # seconds to wait for another run that is writing
_SCHEMA = "CREATE TABLE IF NOT EXISTS scorings (sha256 TEXT, run TEXT, PRIMARY KEY (sha256, run)) WITHOUT ROWID"


@contextmanager
def opened(
    path: Path, name: str, advice: str, connect: Callable[[], sqlite3.Connection]
) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a file, which is made with its folder unless it is there, and close it.

    Args:
        path: Of the file.
        name: What it is, such as "index cache".
        advice: What to do where it is damaged or full.
        connect: Opens it.

    Raises:
        UserError: If it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_missing(path):
            regular(path)
        with closing(connect()) as connection:
            yield connection
    except OSError as error:
        raise UserError(f"The {name} cannot be used: {explain(error)}") from error
    except sqlite3.DatabaseError as error:
        raise UserError(f"The {name} {path} cannot be used ({error}). {advice}") from error


class ScoringLedger:
    """The ledger at a path: which run scored which image. It is made when it is first written to.

    >>> from tempfile import mkdtemp
    >>> ledger = ScoringLedger(Path(mkdtemp(), "scorings.sqlite"))
    >>> ledger.note("monday", ["a", "b"]); ledger.note("monday", ["a"]); ledger.note("tuesday", ["a"])
    >>> ledger.count(["a", "b", "c"]).tolist()
    [2, 1, 0]
    """

    def __init__(self, path: Path) -> None:
        """Take the path."""
        self.path = path

    def note(self, run: str, sha256s: Iterable[str]) -> None:
        """Note that a run scores images; each counts once per run.

        Raises:
            UserError: If it cannot be written.
        """
        with self._open() as connection, connection:
            connection.execute(_SCHEMA)
            rows = [(sha256, run) for sha256 in sha256s]
            connection.executemany("INSERT OR IGNORE INTO scorings VALUES (?, ?)", rows)

    def count(self, sha256s: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return in how many runs each image was scored.

        Raises:
            UserError: If it cannot be read.
        """
        if is_missing(self.path):
            return np.zeros(len(list(sha256s)), dtype=np.int64)
        with self._open() as connection:
            counted = dict(connection.execute("SELECT sha256, COUNT(*) FROM scorings GROUP BY sha256"))
        return np.array([counted.get(sha256, 0) for sha256 in sha256s], dtype=np.int64)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        advice = (
            "Free some space, fix the permissions or wait for other runs; a damaged ledger must be moved away, and "
            "counts then start anew."
        )
        return opened(
            self.path, "ledger of scored images", advice, partial(sqlite3.connect, self.path, timeout=_PATIENCE)
        )
