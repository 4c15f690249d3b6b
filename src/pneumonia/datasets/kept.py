"""What the datasets of this project have in common: which versions there are, and whether there is anything at all."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pneumonia.base.files import find_versions, is_missing


class Kept:
    """Stands before Kedro's class among the parents of a dataset, and finds its versions by the form of their names.

    Kedro reads signs in a path as a pattern, takes every folder for a version, and one that cannot be read for an empty
    one. What is there but of a wrong kind exists too: loading it says what is wrong; no older version is taken.
    """

    is_of_earlier_runs = True
    _filepath: PurePosixPath
    _get_load_path: Callable[[], PurePosixPath]

    def _get_versions(self) -> list[str]:
        return [str(path) for path in find_versions(Path(self._filepath)).values()]

    def _exists(self) -> bool:
        return not is_missing(Path(self._get_load_path()))
