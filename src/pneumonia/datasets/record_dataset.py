"""A record (nested dictionary) as JSON."""

import json
from pathlib import Path
from typing import Any

from kedro_datasets.json import JSONDataset

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_whole
from pneumonia.datasets.errors import plainly


class RecordDataset(JSONDataset):
    """Saves JSON whole or not at all, and refuses NaN and infinity, which JSON does not have.

    NumPy numbers and arrays are written as numbers and lists. Local files only.

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
        write_whole(Path(self._get_save_path()), content.encode())

    @plainly
    def load(self) -> Any:
        """Load the record.

        Raises:
            UserError: If the file is not whole.
        """
        try:
            return json.loads(Path(self._get_load_path()).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise UserError(
                f"{self._get_load_path()} is not whole ({error}). Remove it and run the pipeline that makes it."
            ) from error


def _plain(value: Any) -> Any:
    """Return what JSON can hold in place of a NumPy value or a parameter group."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
