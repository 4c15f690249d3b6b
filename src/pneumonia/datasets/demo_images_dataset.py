"""The raw source of the demo: images that are generated when they are first asked for."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from pneumonia.base.errors import UserError
from pneumonia.datasets.errors import plainly
from pneumonia.demo.images import write_demo_images
from pneumonia.images.source import ImageSource


class DemoImagesDataset(AbstractDataset[NoReturn, ImageSource]):
    """Writes synthetic radiographs once and gives them as any other image source.

    Example:
    ```yaml
    chest_xrays:
      type: pneumonia.datasets.DemoImagesDataset
      path: data/demo/01_raw/chest_xray
      n_images: 600
      seed: 0
      images: ${runtime_params:images,null}
    ```
    """

    def __init__(
        self,
        *,
        path: str,
        n_images: int,
        seed: int,
        images: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the images to make.

        Args:
            path: Folder that the images are written to.
            n_images: How many.
            seed: The same seed gives the same bytes.
            images: What ``--params=images=...`` names. Anything is refused on load: this source makes its own.
            metadata: For plugins.
        """
        self._path, self._n_images, self._seed, self._images = Path(path), n_images, seed, images
        self.metadata = metadata

    @plainly
    def load(self) -> ImageSource:
        """Return the source, after writing the images if they are not there.

        Raises:
            UserError: If the user named images of their own.
        """
        if self._images is not None:
            raise UserError(
                f"The demo generates its own images and would not read {self._images}. "
                "Leave out --env=demo, or --params=images."
            )
        write_demo_images(self._path, self._n_images, self._seed)
        return ImageSource(str(self._path))

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse."""
        raise UserError("The demo images are generated, not saved by a node.")

    def _exists(self) -> bool:
        # They can always be made.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path, "n_images": self._n_images, "seed": self._seed}
