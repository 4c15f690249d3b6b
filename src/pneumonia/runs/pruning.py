"""The saved versions of an environment: how much space they take, and which can be removed."""

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from pneumonia.base import files
from pneumonia.base.errors import UserError, explain
from pneumonia.report.messages import PAGES
from pneumonia.runs.in_progress import Versions
from pneumonia.runs.pinning import PARENTS


def find_all_versions(catalog: Mapping[str, Any], project: Path) -> pd.DataFrame:
    """Find all versions of all versioned datasets.

    Args:
        catalog: The catalog's configuration, by dataset.
        project: The folder that relative file paths start from.

    Returns:
        Columns dataset, version, path (the version's folder), bytes, and is_whole: whether the folder contains the
        dataset's file, or only the remains of a killed run. The newest version first. What else lies there is left out.

    Raises:
        UserError: If a folder cannot be read, so that it is not known what a version was made from.
    """
    rows = [
        row | {"dataset": name}
        for name, entry in catalog.items()
        if isinstance(entry, Mapping) and entry.get("versioned") and name not in PARENTS
        for row in _versions_at(project / entry["filepath"])
    ]
    table = pd.DataFrame(rows, columns=["dataset", "version", "path", "bytes", "is_whole"])
    return table.sort_values(["version", "dataset"], ascending=[False, True], ignore_index=True)


def _versions_at(place: Path) -> list[dict[str, Any]]:
    try:
        whole = files.find_versions(place)
        folders = [folder for folder in files.find_entries(place) if files.VERSION.fullmatch(folder.name)]
        return [
            {"version": folder.name, "path": folder, "bytes": size_of(folder), "is_whole": folder.name in whole}
            for folder in folders
            if (folder.name in whole and _is_of_its_kind(whole[folder.name])) or _is_litter(folder)
        ]
    except OSError as error:
        raise UserError(f"It is not known which versions there are. Nothing was removed. {explain(error)}") from error


def _is_of_its_kind(file: Path) -> bool:
    return file.is_file() or (file.is_dir() and not file.suffix)


def _is_litter(folder: Path) -> bool:
    """Tell whether a version's folder holds nothing but what a killed run leaves."""
    checksum = files.checksum_path(_file(folder))
    return all(path == checksum or path.name.startswith(files.PART) for path in folder.iterdir())


def summarise_versions(versions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per version, the newest first: MB (10^6 bytes), number of datasets, and the main ones by name."""
    main = ("split_manifest", "pneumonia_model", "metrics", *PAGES)
    grouped = versions.groupby("version", sort=False)
    return grouped.agg(
        MB=("bytes", lambda sizes: round(sizes.sum() / 1e6, 1)),
        datasets=("dataset", "size"),
        holds=("dataset", lambda names: ", ".join(name for name in main if name in set(names))),
    ).reset_index()


def choose_removable(
    versions: pd.DataFrame, keep: int, outputs: Mapping[str, set[str]], running: Mapping[str, Versions]
) -> pd.DataFrame:
    """Choose the versions that can be removed while the newest ones stay usable.

    The newest ``keep`` versions of each dataset stay, and what a kept run record or a kept model was made from: the
    model, its class weights, the manifest that it was trained with, and everything else that the same stages of these
    runs made, so that the model can be evaluated again. Run records always stay: they tell how often test images were
    scored. A folder without its dataset's file does not count as a version: it can be removed once a newer version
    exists; until then another run may be about to write the file. What a run in progress reads or has made stays.

    Args:
        versions: As `find_versions` gives them.
        keep: How many of each dataset.
        outputs: Names of the datasets that each stage makes: ingest, imbalance, training.
        running: What each run in progress reads, by the version that it makes.

    Returns:
        The rows of ``versions`` that can be removed.
    """
    if versions.empty:
        return versions
    whole = versions[versions["is_whole"]].astype({"is_whole": bool})
    newest_whole = versions["dataset"].map(whole.groupby("dataset")["version"].max()).fillna("")
    in_the_making = ~versions["is_whole"].astype(bool) & (versions["version"] > newest_whole)
    kept = whole.groupby("dataset").head(keep)
    wanted = set(zip(kept["dataset"], kept["version"], strict=True)).union(*running.values())
    for path in kept.loc[kept["dataset"] == "run_record", "path"]:
        wanted |= _versions_named(path)
    models = {version for name, version in wanted if name == "pneumonia_model"}
    wanted |= set(product(outputs["training"], models))
    manifests = whole[whole["dataset"] == "split_manifest"].set_index("version")["path"].map(_digest)
    for path in whole.loc[(whole["dataset"] == "model_lineage") & whole["version"].isin(models), "path"]:
        wanted |= _sources_of(path, manifests, wanted)
    for name, stage in (("split_manifest", "ingest"), ("class_weights", "imbalance")):
        wanted |= set(product(outputs[stage], {version for named, version in wanted if named == name}))
    is_wanted = pd.Series(list(zip(versions["dataset"], versions["version"], strict=True)), versions.index).isin(wanted)
    is_made = in_the_making | versions["version"].isin(running)
    return versions[~(is_wanted | is_made | (versions["dataset"] == "run_record"))]


def remove(paths: Iterable[Path]) -> None:
    """Remove folders and files. Raises OSError if the file system refuses."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def size_of(path: Path) -> int:
    """Return the size in bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _file(folder: Path) -> Path:
    """Return the file of a version: it has the name of the folder that holds the versions."""
    return folder / folder.parent.name


def _versions_named(folder: Path) -> set[tuple[str, str]]:
    """Return what a run record names: the datasets that it was made from, and their versions."""
    with _whole_record(folder, "what its run was made from") as record:
        return {(PARENTS.get(name, name), version) for name, version in record["versions"].items()}


def _sources_of(folder: Path, manifests: pd.Series, wanted: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the class weights that a lineage names, and a manifest like that of the training if none is wanted yet.

    `manifests` has the digest of each, by version, the newest first.
    """
    with _whole_record(folder, "the manifest of its model") as lineage:
        digest, named = lineage["manifest_sha256"], lineage.get("versions", {})
        sources = {("class_weights", named["class_weights"])} if "class_weights" in named else set()
        own = named.get("split_manifest")
    alike = manifests.index[manifests == digest].tolist()
    if alike and not any(("split_manifest", version) in wanted for version in alike):
        sources.add(("split_manifest", own if own in alike else alike[0]))
    return sources


@contextmanager
def _whole_record(folder: Path, known: str) -> Iterator[Any]:
    """Give the record of a version.

    Raises:
        UserError: If it cannot be read, was changed, or lacks what is read of it.
    """
    try:
        yield files.read_record(_file(folder))
    except (OSError, UserError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder} has no complete record ({error}), so {known} is not known. Nothing was removed. Put the record "
            "back, or remove that folder, and prune again."
        ) from error


def _digest(folder: Path) -> str:
    return files.sha256_of_file(_file(folder))
