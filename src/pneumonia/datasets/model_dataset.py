"""A trained model."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version

from pneumonia.base.files import whole_file
from pneumonia.datasets.kept import Kept
from pneumonia.model.predict import load_model
from pneumonia.runs.errors import plainly


class ModelDataset(Kept, AbstractVersionedDataset[Any, Any]):
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

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Describe where the model is."""
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    @plainly
    def save(self, data: Any) -> None:
        """Save the model."""
        with whole_file(Path(self._get_save_path())) as part:
            data.save(part)

    @plainly
    def load(self) -> Any:
        """Load the model.

        Raises:
            UserError: If the file is not a complete model, or was written by package releases whose files cannot be
                read.
        """
        return load_model(Path(self._get_load_path()))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}
