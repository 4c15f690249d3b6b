"""A folder of files that belong together."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version
from kedro_datasets._typing import JSONPreview

from pneumonia.base.files import find_entries, write_whole_folder
from pneumonia.datasets.kept import Kept
from pneumonia.runs.errors import plainly


class FolderDataset(Kept, AbstractVersionedDataset[dict[str, bytes], Path]):
    """Saves files by their paths, all or none; loads the path of the folder. Local files only.

    Example:
    ```yaml
    exported_model:
      type: pneumonia.datasets.FolderDataset
      filepath: data/06_models/exported
      versioned: true
      shown: model.json
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        shown: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe where the folder is, and which of its files, in JSON, says what is in it."""
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self._shown = shown
        self.metadata = metadata

    @plainly
    def save(self, data: dict[str, bytes]) -> None:
        """Save the files, contents by path."""
        write_whole_folder(Path(self._get_save_path()), data)

    @plainly
    def load(self) -> Path:
        """Return the path of the folder."""
        path = Path(self._get_load_path())
        find_entries(path)
        return path

    def preview(self) -> JSONPreview:
        """Return the file that says what is in the folder, for kedro-viz."""
        return JSONPreview((self.load() / self._shown).read_text(encoding="utf-8"))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version, "shown": self._shown}
