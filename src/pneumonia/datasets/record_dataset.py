"""A record (nested dictionary) as JSON."""

import json
from pathlib import Path
from typing import Any

from kedro_datasets.json import JSONDataset

from pneumonia.base.errors import UserError
from pneumonia.base.files import check_as_written, checksum_path, write_with_checksum
from pneumonia.runs.errors import plainly


class RecordDataset(JSONDataset):
    """Saves JSON whole or not at all, with its checksum, and refuses NaN and infinity, which JSON does not have.

    NumPy numbers and arrays are written as numbers and lists. Loading detects whether the file was changed; a record of
    an older release, which has no checksum, is loaded unchecked. Local files only.

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
        path = Path(self._get_load_path())
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged ({error}). Remove it and run the pipeline that makes it.") from error
        if checksum_path(path).is_file():
            check_as_written(path)
        return record


def _plain(value: Any) -> Any:
    """Return what JSON can hold in place of a NumPy value or a parameter group."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
