"""A trained model with its lineage."""

import json
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version

from pneumonia.base.errors import UserError
from pneumonia.base.files import whole_file
from pneumonia.datasets.errors import plainly

LINEAGE_MEMBER = "lineage.json"
# What zipfile, json and Keras raise on damaged files: tests/datasets/test_fuzzing.py damages some at random.
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, TypeError, RuntimeError)


class ModelDataset(AbstractVersionedDataset[Any, Any]):
    """Saves a Keras model whole or not at all, with the record of what it was made from.

    The record is the model's attribute ``lineage`` (a dictionary). It is kept as one more member of the
    ``.keras`` archive, which ``keras.models.load_model`` passes over. Local files only.

    ``kedro_datasets.tensorflow`` imports TensorFlow, so that commands which only list the catalog would take seconds.

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
        """Save the model and ``data.lineage``."""
        with whole_file(Path(self._get_save_path())) as part:
            data.save(part)
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(LINEAGE_MEMBER, json.dumps(dict(data.lineage), indent=2))

    @plainly
    def load(self) -> Any:
        """Load the model, with ``lineage``.

        Raises:
            UserError: If the file is not a whole model, carries no lineage, or was written by other releases of the
                packages than can be read.
        """
        import keras

        path = Path(self._get_load_path())
        try:
            with zipfile.ZipFile(path) as archive:
                lineage = json.loads(archive.read(LINEAGE_MEMBER))
            model = keras.models.load_model(path)
        except DAMAGED as error:
            raise UserError(
                f"{path} is not a whole model of this project ({error}). Remove its version folder, or name "
                "another version by --load-versions=pneumonia_model:VERSION."
            ) from error
        model.lineage = lineage
        return model

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}
