"""One writer at a time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pneumonia.base.errors import UserError

logger = logging.getLogger(__name__)

# How long to wait for another run, in seconds: on a file system without locks, a killed run leaves its lock behind.
LONGEST_WAIT = 3600.0


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
