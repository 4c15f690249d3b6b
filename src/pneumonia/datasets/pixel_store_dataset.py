"""Decoded images as a catalog dataset."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from pneumonia.base.errors import UserError
from pneumonia.base.files import find_entries
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PART_IMAGES, PixelStores
from pneumonia.runs.errors import plainly


class PixelStoreDataset(AbstractDataset[PixelRequest, PixelStores]):
    """Saving a request decodes the images that are not stored yet; loading returns a handle on the stores.

    The handle opens the store of one image size and resize method, and checks every byte of it once per run. Nothing is
    versioned: the content depends only on the images' hashes and on the settings that name the store's folder. Local
    files only.

    Example:
    ```yaml
    pixel_store:
      type: pneumonia.datasets.PixelStoreDataset
      filepath: data/05_model_input/pixels
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the stores are."""
        self._filepath = Path(filepath)
        # One handle for the whole run: it remembers what it has checked.
        self._stores = PixelStores(self._filepath)
        self.metadata = metadata

    @plainly
    def save(self, data: PixelRequest) -> None:
        """Store the images of a request.

        Raises:
            UserError: If interrupted.
        """
        try:
            self._stores.fill(data)
        except KeyboardInterrupt as interrupt:
            raise UserError(
                f"Interrupted. Complete parts of {PART_IMAGES:,} images are kept; the same command resumes from there."
            ) from interrupt

    @plainly
    def load(self) -> PixelStores:
        """Return the handle."""
        return self._stores

    def _exists(self) -> bool:
        return any(find_entries(folder, ".json") for folder in find_entries(self._filepath))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
