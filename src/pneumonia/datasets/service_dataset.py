"""Things that nodes use but that no node makes, as catalog entries."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset
from kedro.utils import load_obj

from pneumonia.base.errors import UserError
from pneumonia.images.storage import KAGGLE
from pneumonia.runs.errors import plainly

# Functions of `services` that return what earlier runs saved.
OF_EARLIER_RUNS = ("load_records", "load_all_records", "open_versions", "open_environments", "open_study_records")


class ServiceDataset(AbstractDataset[NoReturn, Any]):
    """Loads what a function returns, such as a handle on the raw images. It always exists, and nothing is saved.

    Example:
    ```yaml
    index_cache:
      type: pneumonia.datasets.ServiceDataset
      service: pneumonia.datasets.services.open_index_cache
      arguments:
        path: data/02_intermediate/index_cache.sqlite
    ```
    """

    def __init__(self, *, service: str, arguments: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Describe the service.

        Args:
            service: The function, with its module. It is imported when the dataset is first loaded.
            arguments: Its keyword arguments. Kedro makes a relative `path` or `filepath` among them absolute.
            metadata: For plugins.
        """
        self._service, self._arguments = service, arguments
        self.metadata = metadata

    @property
    def is_of_earlier_runs(self) -> bool:
        """Whether it returns what earlier runs saved."""
        return self._service.rpartition(".")[2] in OF_EARLIER_RUNS

    @property
    def finds_its_images(self) -> bool:
        """Whether the images of `open_images` are where they are looked for, as far as can be told without a look."""
        path = self._arguments.get("path")
        is_local = self._service.endswith(".open_images") and self._arguments.get("address") != KAGGLE
        places = [str(place) for place in (path.values() if isinstance(path, dict) else [path])]
        return not is_local or all("://" in place or Path(place).expanduser().exists() for place in places)

    @plainly
    def load(self) -> Any:
        """Call the function.

        Raises:
            UserError: As the function does.
        """
        return load_obj(self._service)(**self._arguments)

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse."""
        raise UserError(f"{self._service} can only be read or called: no node saves it.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"service": self._service, "arguments": self._arguments}
