"""A record (nested dictionary) as JSON."""

import json
from pathlib import Path
from typing import Any

from kedro_datasets.json import JSONDataset

from pneumonia.base.files import read_record, write_with_checksum
from pneumonia.datasets.kept import Kept
from pneumonia.runs.errors import plainly


class RecordDataset(Kept, JSONDataset):
    """Saves JSON whole or not at all, with its checksum, and refuses NaN and infinity, which JSON does not have.

    NumPy numbers and arrays are written as numbers and lists. Loading detects whether the file was changed; a record of
    an older release, which has no checksum, is loaded with a warning. Local files only.

    Example:
    ```yaml
    metrics:
      type: pneumonia.datasets.RecordDataset
      filepath: data/08_reporting/metrics.json
      versioned: true
    ```
    """

    DEFAULT_SAVE_ARGS: dict[str, Any] = {"indent": 2, "allow_nan": False}  # noqa: RUF012 - as in the parent

    @plainly
    def save(self, data: Any) -> None:
        """Save the record."""
        content = json.dumps(data, default=_plain, **self._save_args) + "\n"
        write_with_checksum(Path(self._get_save_path()), content.encode())

    @plainly
    def load(self) -> Any:
        """Load the record.

        Raises:
            UserError: If the file is incomplete, or has changed since it was written.
        """
        return read_record(Path(self._get_load_path()))


def _plain(value: Any) -> Any:
    """Return what JSON can hold in place of a NumPy value or a parameter group."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
