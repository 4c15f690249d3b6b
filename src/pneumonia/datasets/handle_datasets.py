"""What nodes use but no file of one version holds: services, pixel stores, states of trainings, how a run was made."""

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset
from kedro.utils import is_kedro_project, load_obj

from pneumonia.base.engine import thread_count
from pneumonia.base.errors import UserError
from pneumonia.base.files import find_entries
from pneumonia.images.storage import KAGGLE, expanded
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PART_IMAGES, PixelStores
from pneumonia.runs.errors import plainly

# Functions of `services` that return what earlier runs saved.
OF_EARLIER_RUNS = ("load_records", "load_all_records", "open_versions", "open_environments", "open_study_records")


class HandleDataset(AbstractDataset[Any, Any]):
    """What always exists and is described by the arguments of its entry."""

    def __init__(self, metadata: dict[str, Any] | None, **described: Any) -> None:
        """Keep the description, and the metadata for plugins."""
        self._described, self.metadata = described, metadata

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return self._described


class ServiceDataset(HandleDataset):
    """Loads what a function returns, such as a handle on the raw images. Nothing is saved.

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
        super().__init__(metadata, service=service, arguments=arguments)
        self._service, self._arguments = service, arguments

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
        return not is_local or all("://" in place or expanded(place).exists() for place in places)

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


class PixelStoreDataset(HandleDataset):
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
        super().__init__(metadata, filepath=Path(filepath))
        # One handle for the whole run: it remembers what it has checked.
        self._stores = PixelStores(Path(filepath))

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
        return any(find_entries(folder, ".json") for folder in find_entries(self._described["filepath"]))


class TrainingStateDataset(HandleDataset):
    """Returns a handle on what trainings write themselves, epoch by epoch. Nothing is saved through the catalog.

    Example:
    ```yaml
    training_state:
      type: pneumonia.datasets.TrainingStateDataset
      filepath: data/06_models/training_state
      tensorboard_logs: data/06_models/tensorboard
    ```
    """

    def __init__(self, *, filepath: str, tensorboard_logs: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folders of the states and of TensorBoard's logs."""
        super().__init__(metadata, filepath=Path(filepath), tensorboard_logs=Path(tensorboard_logs))
        # One handle for the whole run: it holds the lock until the model is saved.
        self._states = TrainingStates(Path(filepath), Path(tensorboard_logs))

    @plainly
    def load(self) -> TrainingStates:
        """Return the handle."""
        return self._states

    @plainly
    def save(self, data: NoReturn) -> None:
        """Refuse: the training writes its state itself, epoch by epoch."""
        raise UserError("training_state is written by the training itself, epoch by epoch, not by a node.")


class RunContextDataset(HandleDataset):
    """Loads a description of the run: how it was started, the commit, the packages and the hardware.

    Only Kedro's hooks are told how the run was started: `RunContextHook` saves it here before the first node.

    Example:
    ```yaml
    run_context:
      type: pneumonia.datasets.RunContextDataset
      path: .
    ```
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the checkout, whose commit is recorded."""
        super().__init__(metadata, path=Path(path))
        self._started: dict[str, Any] = {}

    def save(self, data: dict[str, Any]) -> None:
        """Keep how the run was started: run_id, environment, command, versions. Nothing is written."""
        self._started = data

    def load(self) -> dict[str, Any]:
        """Describe the run."""
        return {
            **self._started,
            "commit": _commit(self._described["path"]),
            "packages": _package_versions(),
            "hardware": _hardware(),
        }


def _commit(project: Path) -> str | None:
    """Return the commit of the checkout, ``-dirty`` behind it if files differ; None outside of git.

    Where the package is installed without its checkout, a repository around the current folder is somebody else's.
    """
    if not is_kedro_project(project):
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=project, capture_output=True, encoding="utf-8", check=True,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _package_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of those that it depends on."""
    requirements = [line for line in metadata.requires("pneumonia") or [] if "extra ==" not in line]
    needed = sorted(line[: re.match(r"[\w.-]+", line).end()] for line in requirements)  # type: ignore[union-attr]
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in ("pneumonia", *needed)}}


def _hardware() -> dict[str, Any]:
    """Return processor, usable cores and operating system. Accelerators are in the model's lineage."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
        cpu = names[0] if names else cpu
    return {"cpu": cpu, "cores": thread_count(), "platform": platform.platform()}
