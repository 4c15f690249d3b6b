"""The saved versions of an environment: how much space they take, and which can be removed."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.files import sha256_of_file


def find_versions(catalog: Mapping[str, Any], project: Path) -> pd.DataFrame:
    """Find all versions of all versioned datasets.

    Args:
        catalog: The catalog's configuration, by dataset.
        project: The folder that relative file paths start from.

    Returns:
        Columns dataset, version, path (the version's folder), bytes, and is_whole: whether the folder contains the
        dataset's file, or only the remains of a killed run. The newest version first.
    """
    rows = [
        {
            "dataset": name,
            "version": folder.name,
            "path": folder,
            "bytes": size_of(folder),
            "is_whole": _file(folder).exists(),
        }
        for name, entry in catalog.items()
        if isinstance(entry, Mapping) and entry.get("versioned")
        for folder in (project / entry["filepath"]).glob("*/")
    ]
    table = pd.DataFrame(rows, columns=["dataset", "version", "path", "bytes", "is_whole"])
    return table.sort_values(["version", "dataset"], ascending=[False, True], ignore_index=True)


def summarise_versions(versions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per version, the newest first: MB (10^6 bytes), number of datasets, and the main ones by name."""
    main = ("split_manifest", "pneumonia_model", "metrics", "report")
    grouped = versions.groupby("version", sort=False)
    return grouped.agg(
        MB=("bytes", lambda sizes: round(sizes.sum() / 1e6, 1)),
        datasets=("dataset", "size"),
        holds=("dataset", lambda names: ", ".join(name for name in main if name in set(names))),
    ).reset_index()


def choose_removable(versions: pd.DataFrame, keep: int) -> pd.DataFrame:
    """Choose the versions that can be removed while the newest ones stay usable.

    The newest ``keep`` versions of each dataset stay, and everything that these were made from: the model and the
    manifest that a run record names, and the manifest that a model was trained with, without which the model could not
    be evaluated. A folder without its dataset's file does not count as a version: it can be removed once a newer
    version exists; until then another run may be about to write the file.

    Args:
        versions: As `find_versions` gives them.
        keep: How many of each dataset.

    Returns:
        The rows of ``versions`` that can be removed.
    """
    if versions.empty:
        return versions
    whole = versions[versions["is_whole"]].astype({"is_whole": bool})
    newest_whole = versions["dataset"].map(whole.groupby("dataset")["version"].max()).fillna("")
    in_the_making = ~versions["is_whole"].astype(bool) & (versions["version"] > newest_whole)
    kept = whole.groupby("dataset").head(keep)
    records = kept.loc[kept["dataset"] == "run_record", "path"]
    named = {pair for path in records for pair in _versions_named(path)}
    is_named = pd.Series(list(zip(versions["dataset"], versions["version"], strict=True)), versions.index).isin(named)
    stays = is_named | in_the_making | versions.index.isin(kept.index)
    # A model and its lineage come from one run and so have the same version.
    models = set(whole.loc[stays[whole.index] & (whole["dataset"] == "pneumonia_model"), "version"])
    is_lineage = versions["dataset"] == "model_lineage"
    stays |= is_lineage & versions["version"].isin(models)
    lineages = whole.loc[stays[whole.index] & (whole["dataset"] == "model_lineage"), "path"]
    needed = {_manifest_of(path) for path in lineages}
    manifests = whole.loc[whole["dataset"] == "split_manifest", "path"].map(_digest)
    needed -= set(manifests[stays[manifests.index]])
    newest = manifests[manifests.isin(needed)].drop_duplicates()
    return versions[~stays & ~versions.index.isin(newest.index)]


def remove(paths: Iterable[Path]) -> None:
    """Remove folders and files. Raises OSError if the file system refuses."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def size_of(path: Path) -> int:
    """Return the size in bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _file(folder: Path) -> Path:
    """Return the file of a version: it has the name of the folder that holds the versions."""
    return folder / folder.parent.name


def _versions_named(folder: Path) -> list[tuple[str, str]]:
    record = json.loads(_file(folder).read_text(encoding="utf-8"))
    return list(record["versions"].items())


def _manifest_of(folder: Path) -> str:
    """Return the digest of the manifest that a lineage names."""
    try:
        return json.loads(_file(folder).read_text(encoding="utf-8"))["manifest_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} has no complete lineage ({error}), so the manifest of its model is not known. Nothing was "
            "removed. Remove that folder and prune again."
        ) from error


def _digest(folder: Path) -> str:
    return sha256_of_file(_file(folder))
