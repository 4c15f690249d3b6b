"""What entries of the type `ServiceDataset` return."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kedro.utils import load_obj

from pneumonia.base.errors import UserError
from pneumonia.base.files import find_entries, find_versions
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.demo.images import write_demo_images
from pneumonia.demo.second_hospital import write_second_hospital
from pneumonia.images.cache import IndexCache
from pneumonia.images.sites import Sites
from pneumonia.images.source import ImageSource
from pneumonia.images.storage import KAGGLE
from pneumonia.study.task import StudyRecords


def open_images(path: str | dict[str, str] | None, address: str | dict[str, str] | None = None) -> ImageSource:
    """Return a handle on a folder, archive, MedMNIST file or fsspec address of images, or on Kaggle's archive.

    It never writes. Nothing is opened yet: the node that first reads the images finds out whether they exist, and says
    so in one sentence.

    Args:
        path: Folder, archive, file of MedMNIST or fsspec address, or one for each of several sources by name. Kedro
            makes a relative one absolute. None if only `--params=images=PATH` can set it.
        address: The same as the user gave it: "kaggle" and "~/..." are not relative to the project.

    Raises:
        UserError: If the location of the images was not set.
    """
    if path is None:
        raise UserError("Name the images to score: --params=images=PATH (image, folder, zip or address).")
    if isinstance(path, dict):
        return Sites({name: ImageSource(str(one)) for name, one in path.items()})
    as_given = isinstance(address, str) and (address == KAGGLE or address.startswith("~"))
    return ImageSource(address if as_given else path)  # type: ignore[arg-type]


def open_demo_images(path: str, n_images: int, seed: int, images: str | None = None) -> ImageSource:
    """Write synthetic radiographs, unless they exist, and return a handle on them as on any other images.

    Args:
        path: Folder that the images are written to.
        n_images: How many.
        seed: The same seed gives the same bytes.
        images: What `--params=images=...` names.

    Raises:
        UserError: If the user named images: this source makes its own.
    """
    if images is not None:
        raise UserError(
            f"The demo generates its own images and does not read {images}. Leave out --env=demo, or --params=images."
        )
    write_demo_images(Path(path), n_images, seed)
    return ImageSource(path)


def open_second_hospital(
    path: str, n_images: int, seed: int, images: str | dict[str, str] | None = None
) -> ImageSource:
    """Return a handle on the demo's second hospital, which is drawn unless it exists, or on what a user names.

    Args:
        path: Folder that the images are written to.
        n_images: How many.
        seed: The same seed gives the same bytes.
        images: What `--params=images=...` names.
    """
    if images is not None:
        return open_images(images, images)
    write_second_hospital(Path(path), n_images, seed)
    return ImageSource(path)


def open_index_cache(path: str) -> IndexCache:
    """Return a handle on the cache of the image index, which does its own reading and writing. Local files only."""
    return IndexCache(Path(path))


def open_scoring_ledger(path: str) -> ScoringLedger:
    """Return a handle on the ledger of scored images, which does its own reading and writing. Local files only."""
    return ScoringLedger(Path(path))


def open_study_records(path: str) -> StudyRecords:
    """Return a handle on the results and states that studies write while they run. Local files only."""
    return StudyRecords(Path(path))


def find_models(path: str) -> dict[str, Path]:
    """Find the files of all versions of a model, the newest first.

    Args:
        path: The `filepath` of the model.
    """
    return find_versions(Path(path))


def load_all_records(path: str) -> dict[str, Any]:
    """Load all versions of a versioned record by version; none if there are none yet.

    Args:
        path: The `filepath` of the versioned record.

    Raises:
        UserError: If one of the files is not whole.
    """
    loads = open_versions(path, "pneumonia.datasets.RecordDataset")
    return {version: load() for version, load in loads.items()}


def load_records(path: str, validator: str | None = None) -> dict[str, Any]:
    """Load all records of a folder by name; none if there are none yet.

    Args:
        path: The folder.
        validator: Their contract, with its module.

    Raises:
        UserError: If one of the files is not whole, or not as its contract says.
    """
    files = find_entries(Path(path), ".json")
    return {file.stem: _load(file, "pneumonia.datasets.RecordDataset", validator) for file in files}


def open_versions(path: str, dataset: str, validator: str | None = None) -> dict[str, Callable[[], Any]]:
    """Return what loads each version of a dataset, by version.

    Args:
        path: The `filepath` of the dataset.
        dataset: Its class, with its module.
        validator: Its contract, with its module.
    """
    found = find_versions(Path(path))
    return {version: partial(_load, found[version], dataset, validator) for version in sorted(found)}


def open_environments(path: str, dataset: str, validator: str | None = None) -> dict[str, Callable[[], Any]]:
    """Return what loads each version of a dataset, of this environment and of those that write below its root.

    Args:
        path: The `filepath` of the dataset, in a folder of the root.
        dataset: Its class, with its module.
        validator: Its contract, with its module.

    Returns:
        By version; those of other environments by the name of their root and version, such as `notes/VERSION`.
    """
    file = Path(path)
    root, below = file.parents[1], file.relative_to(file.parents[1])
    found = open_versions(path, dataset, validator)
    for other in sorted(root.glob(f"*/{below.as_posix()}")):
        versions = open_versions(str(other), dataset, validator)
        found |= {f"{other.relative_to(root).parts[0]}/{version}": load for version, load in versions.items()}
    return found


def _load(file: Path, dataset: str, validator: str | None) -> Any:
    content = load_obj(dataset)(filepath=file.as_posix()).load()
    try:
        return load_obj(validator)().validate(content) if validator else content
    except UserError as error:
        raise UserError(f"{file}: {error.message}") from error
