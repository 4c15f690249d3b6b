"""A trained model as MLflow loads it: images in the rows of a table, one answer for each.

A logged model carries this package's code and these files, so that nothing of it is pickled.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.files import regular
from pneumonia.predictor.predictor import Predictor
from pneumonia.predictor.reading import Item

IMAGE, PATH = "image", "path"
ANSWERS = {"probability": "double", "decision": "string", "in_range": "string", "reason": "string"}


class ServedModel:
    """Answers for images that are sent as bytes, or named by the paths of files of this machine."""

    def __init__(self, predictor: Predictor) -> None:
        """Take the model with what belongs to it."""
        self._predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return `ANSWERS` for each row, in order; a probability that there is not is None.

        Args:
            model_input: A column `image` with the bytes of files, or a column `path`.
            params: None are known.

        Raises:
            UserError: If there is neither column, or both.
        """
        if len(given := {IMAGE, PATH} & set(model_input)) != 1:
            raise UserError(f"Give the images in one column: {IMAGE}, with their bytes, or {PATH}.")
        kind, make = (IMAGE, _item_of_bytes) if IMAGE in given else (PATH, _item_of_path)
        items = [make(one, number) for number, one in enumerate(model_input[kind])]
        said = self._predictor.predict(items)[list(ANSWERS)]
        probability = said["probability"].astype(object)  # JSON has no NaN
        return said.assign(probability=probability.where(said["probability"].notna(), None))


def _load_pyfunc(data_path: str) -> ServedModel:
    """Open the files of a logged model, as MLflow asks for it."""
    return ServedModel(Predictor.from_folder(data_path))


def _item_of_bytes(data: bytes, number: int) -> Item:
    return Item(f"image {number}", lambda: data, len(data))


def _item_of_path(path: str, number: int) -> Item:
    """Name a file; whatever else is there, such as a folder or a pipe, is listed with the reason."""
    try:
        file = regular(Path(path))
        return Item(path, file.read_bytes, file.stat().st_size)
    except OSError as error:
        return Item(path, bytes, problem=error.strerror or str(error))
