"""A trained model with its lineage."""

import json
import zipfile
from pathlib import Path
from typing import Any

from kedro_datasets.tensorflow import TensorFlowModelDataset

from pneumonia.errors import UserError
from pneumonia.files import whole_file

LINEAGE_MEMBER = "lineage.json"


class ModelDataset(TensorFlowModelDataset):
    """Saves a Keras model whole or not at all, with the record of what it was made from.

    The record is the model's attribute ``lineage`` (a dictionary). It is kept as one more member of the
    ``.keras`` archive, which ``keras.models.load_model`` passes over. Local files only.

    Example:
    ```yaml
    pneumonia_model:
      type: pneumonia.datasets.ModelDataset
      filepath: data/06_models/pneumonia_model.keras
      versioned: true
    ```
    """

    def save(self, data: Any) -> None:
        """Save the model and ``data.lineage``."""
        with whole_file(Path(self._get_save_path())) as part:
            data.save(part, **self._save_args)
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(LINEAGE_MEMBER, json.dumps(dict(data.lineage), indent=2))

    def load(self) -> Any:
        """Load the model, with ``lineage``.

        Raises:
            UserError: If the file is not a whole model, or carries no lineage.
        """
        import keras

        path = Path(self._get_load_path())
        try:
            with zipfile.ZipFile(path) as archive:
                lineage = json.loads(archive.read(LINEAGE_MEMBER))
            model = keras.models.load_model(path, **self._load_args)
        except (zipfile.BadZipFile, KeyError) as error:
            raise UserError(
                f"{path} is not a whole model of this project ({error}). Remove its version folder, or name "
                "another version by --load-versions=pneumonia_model:VERSION."
            ) from error
        model.lineage = lineage
        return model
