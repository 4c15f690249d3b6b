"""Every version of a record there is."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from pneumonia.base.errors import UserError
from pneumonia.datasets.record_dataset import RecordDataset


class AllRecordsDataset(AbstractDataset[NoReturn, dict[str, Any]]):
    """Loads all versions of a versioned record by version; none where there is none yet.

    ``partitions.PartitionedDataset`` fails in an environment's first run, which has no partition.

    Example:
    ```yaml
    earlier_run_records:
      type: pneumonia.datasets.AllRecordsDataset
      path: data/08_reporting/run_record.json
    ```
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the versions are: the ``filepath`` of the versioned record."""
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Load the records.

        Raises:
            UserError: If one of the files is not whole.
        """
        files = sorted(self._path.glob(f"*/{self._path.name}"))
        return {file.parent.name: RecordDataset(filepath=file.as_posix()).load() for file in files}

    def save(self, data: NoReturn) -> None:
        """Refuse."""
        raise UserError(f"{self._path} is written one version at a time, by the run that makes it.")

    def _exists(self) -> bool:
        return True  # no record is an answer as well

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}
