"""Files and folders that are saved whole: figures, models, and files that belong together."""

import base64
import io
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version
from kedro_datasets._typing import ImagePreview, JSONPreview

from pneumonia.base import files
from pneumonia.model.predict import load_model
from pneumonia.runs.errors import plainly


class Kept:
    """Stands before Kedro's class among the parents of a dataset, and finds its versions by the form of their names.

    Kedro reads signs in a path as a pattern, takes every folder for a version, and one that cannot be read for an empty
    one. What is there but of a wrong kind exists too: loading it says what is wrong; no older version is taken.
    """

    is_of_earlier_runs = True
    _filepath: PurePosixPath
    _get_load_path: Callable[[], PurePosixPath]

    def _get_versions(self) -> list[str]:
        return [str(path) for path in files.find_versions(Path(self._filepath)).values()]

    def _exists(self) -> bool:
        return not files.is_missing(Path(self._get_load_path()))


class KeptDataset(Kept, AbstractVersionedDataset[Any, Any]):
    """A versioned local file or folder that no dataset of Kedro's saves."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Describe where it is."""
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}


class FigureDataset(KeptDataset):
    """Saves a Matplotlib figure as PNG, whole or not at all, with its checksum; loads the bytes of the PNG.

    ``kedro_datasets.matplotlib.MatplotlibDataset`` cannot be loaded, and a report wants the pictures that a
    person sees in the catalog. Local files only.

    Example:
    ```yaml
    training_curves:
      type: pneumonia.datasets.FigureDataset
      filepath: data/08_reporting/training_curves.png
      versioned: true
      save_args: {dpi: 150}
    ```
    """

    DEFAULT_SAVE_ARGS: dict[str, Any] = {"format": "png", "dpi": 144}  # noqa: RUF012 - as in Kedro's datasets

    def __init__(self, *, save_args: dict[str, Any] | None = None, **options: Any) -> None:
        """Describe where the figure is and how ``Figure.savefig`` writes it."""
        super().__init__(**options)
        self._save_args = {**self.DEFAULT_SAVE_ARGS, **(save_args or {})}

    @plainly
    def save(self, data: Any) -> None:
        """Save a ``matplotlib.figure.Figure``."""
        content = io.BytesIO()
        data.savefig(content, **self._save_args)
        files.write_with_checksum(Path(self._get_save_path()), content.getvalue())

    @plainly
    def load(self) -> bytes:
        """Load the bytes of the PNG.

        Raises:
            UserError: If the file has changed since it was written.
        """
        return files.read_as_written(Path(self._get_load_path()))

    def preview(self) -> ImagePreview:
        """Return the picture for kedro-viz."""
        return ImagePreview(base64.b64encode(self.load()).decode())

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "save_args": self._save_args}


class ModelDataset(KeptDataset):
    """Saves a Keras model whole or not at all. Local files only.

    ``kedro_datasets.tensorflow`` imports TensorFlow, so that commands which only list the catalog would take seconds,
    and leaves a partial file if it is killed.

    Example:
    ```yaml
    pneumonia_model:
      type: pneumonia.datasets.ModelDataset
      filepath: data/06_models/pneumonia_model.keras
      versioned: true
    ```
    """

    @plainly
    def save(self, data: Any) -> None:
        """Save the model."""
        with files.whole_file(Path(self._get_save_path())) as part:
            data.save(part)

    @plainly
    def load(self) -> Any:
        """Load the model.

        Raises:
            UserError: If the file is not a complete model, or was written by package releases whose files cannot be
                read.
        """
        return load_model(Path(self._get_load_path()))


class FolderDataset(KeptDataset):
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

    def __init__(self, *, shown: str, **options: Any) -> None:
        """Describe where the folder is, and which of its files, in JSON, says what is in it."""
        super().__init__(**options)
        self._shown = shown

    @plainly
    def save(self, data: dict[str, bytes]) -> None:
        """Save the files, contents by path."""
        files.write_whole_folder(Path(self._get_save_path()), data)

    @plainly
    def load(self) -> Path:
        """Return the path of the folder."""
        path = Path(self._get_load_path())
        files.find_entries(path)
        return path

    def preview(self) -> JSONPreview:
        """Return the file that says what is in the folder, for kedro-viz."""
        return JSONPreview((self.load() / self._shown).read_text(encoding="utf-8"))

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "shown": self._shown}
