"""SQLite files of this project: opened for one use, with their faults told in a sentence."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pneumonia.base.errors import UserError, explain
from pneumonia.base.files import is_missing, regular


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
