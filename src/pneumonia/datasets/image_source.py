"""The raw images, and the cache of what is known of them, as catalog entries."""

from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from pneumonia.base.errors import UserError
from pneumonia.datasets.errors import plainly
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.images.storage import KAGGLE


class ImageSourceDataset(AbstractDataset[NoReturn, ImageSource]):
    """Gives a handle on a folder, zip or fsspec address of images, or on Kaggle's archive. Never writes.

    Loading opens nothing: whether images are there is found out, and said in one sentence, by the node that first
    reads them.

    Example:
    ```yaml
    chest_xrays:
      type: pneumonia.datasets.ImageSourceDataset
      path: data/01_raw/chest_xray
    ```
    """

    def __init__(self, *, path: str | None, address: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the images are.

        Args:
            path: Folder, zip or fsspec address. Kedro makes relative ones absolute. None where only
                `--params=images=PATH` can say.
            address: The same as the user gave it: "kaggle" and "~/..." are not relative to the project.
            metadata: For plugins.
        """
        self._address = address if address and (address == KAGGLE or address.startswith("~")) else path
        self.metadata = metadata

    @plainly
    def load(self) -> ImageSource:
        """Return the handle.

        Raises:
            UserError: If nobody said where the images are.
        """
        if self._address is None:
            raise UserError("Say which images to judge: --params=images=PATH (image, folder, zip or address).")
        return ImageSource(self._address)

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse: raw images are never written."""
        raise DatasetError("Raw images are never written.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"address": self._address}


class IndexCacheDataset(AbstractDataset[NoReturn, IndexCache]):
    """Gives a handle on the cache of the image index, which reads and writes itself.

    Example:
    ```yaml
    index_cache:
      type: pneumonia.datasets.image_source.IndexCacheDataset
      filepath: data/02_intermediate/index_cache.sqlite
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the cache is. Local files only."""
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    @plainly
    def load(self) -> IndexCache:
        """Return the handle. An empty cache is as good as none."""
        return IndexCache(Path(self._filepath))

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse: the handle writes."""
        raise DatasetError("The index cache is written through the handle that load() gives.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
