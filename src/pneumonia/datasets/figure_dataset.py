"""A figure as PNG."""

import base64
import io
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version
from kedro_datasets._typing import ImagePreview

from pneumonia.base.files import read_as_written, write_with_checksum
from pneumonia.datasets.kept import Kept
from pneumonia.runs.errors import plainly


class FigureDataset(Kept, AbstractVersionedDataset[Any, bytes]):
    """Saves a Matplotlib figure whole or not at all, with its checksum; loads the bytes of its PNG.

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

    def __init__(
        self,
        *,
        filepath: str,
        save_args: dict[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe where the figure is and how ``Figure.savefig`` writes it."""
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self._save_args = {**self.DEFAULT_SAVE_ARGS, **(save_args or {})}
        self.metadata = metadata

    @plainly
    def save(self, data: Any) -> None:
        """Save a ``matplotlib.figure.Figure``."""
        content = io.BytesIO()
        data.savefig(content, **self._save_args)
        write_with_checksum(Path(self._get_save_path()), content.getvalue())

    @plainly
    def load(self) -> bytes:
        """Load the bytes of the PNG.

        Raises:
            UserError: If the file has changed since it was written.
        """
        return read_as_written(Path(self._get_load_path()))

    def preview(self) -> ImagePreview:
        """Return the picture for kedro-viz."""
        return ImagePreview(base64.b64encode(self.load()).decode())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version, "save_args": self._save_args}
