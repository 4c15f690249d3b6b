"""Nodes of the ingest pipeline that are more than one function of the domain."""

import logging
from typing import Any

import pandas as pd

from pneumonia.base.engine import LOCAL
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EngineParameters, IngestParameters, LabelsParameters
from pneumonia.images import near_duplicates as copies
from pneumonia.images.cache import IndexCache
from pneumonia.images.index import DUPLICATE, OK, REJECTED, examine_files, make_index, mark_duplicates
from pneumonia.images.labels import PROBLEM_COLUMNS, count_problems, describe_other_classes, with_labels
from pneumonia.images.sites import place, settings_of, sources_of
from pneumonia.images.source import ImageSource
from pneumonia.split.manifest import make_manifest

logger = logging.getLogger(__name__)

# How many rejected files an error message lists; the table has them all.
SHOWN = 50


def index_images(
    chest_xrays: ImageSource,
    index_cache: IndexCache,
    parameters: IngestParameters,
    labels: LabelsParameters,
    sources: dict[str, Any],
    engine: EngineParameters = LOCAL,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read every image file completely and list its facts, with its label from its folder or from a table.

    Where the images come from several sources, each is read by its own settings, and its name is before every path and
    group. Copies are looked for among all of them.

    Returns:
        One row per image file, by path; see `pneumonia.images.index.COLUMNS`. `status` is "ok", "duplicate" or
        "rejected", with the reason. Also what does not match in the table of labels, with the columns
        `pneumonia.images.labels.PROBLEM_COLUMNS`; empty without a table.

    Raises:
        UserError: If there are no images, none is in a folder of either class, the same bytes occur under both labels,
            or the table of labels cannot be read.
    """
    indexes, problems = [], []
    for site, source in sources_of(chest_xrays).items():
        own, own_labels = settings_of(site, parameters, labels, sources)
        labelled = with_labels(source, own, own_labels, index_cache.patient_key)
        found = labelled.listing.label_problems
        for kind, count in count_problems(found).items():
            logger.warning("Table of labels%s: %s: %s (listed in label_problems).", _of(site), kind, f"{count:,}")
        problems += [(kind, f"{site}/{path}" if site else path, note) for kind, path, note in found]
        indexes.append(place(index_labelled(labelled, index_cache, own, engine), site, own, parameters))
    index = indexes[0] if len(indexes) == 1 else mark_duplicates(pd.concat(indexes, ignore_index=True))
    return index, pd.DataFrame(problems, columns=list(PROBLEM_COLUMNS), dtype=str)


def _of(site: str) -> str:
    return f" of {site}" if site else ""


def index_labelled(
    images: ImageSource, index_cache: IndexCache, parameters: IngestParameters, engine: EngineParameters = LOCAL
) -> pd.DataFrame:
    """Index images whose labels are known, from folders or by `with_labels`."""
    refuse_other_classes(images, parameters)
    facts = examine_files(images, index_cache, parameters, engine)
    index = mark_duplicates(make_index(images, facts, parameters))
    usable = index[index["status"] == OK]
    alone = int((usable["group"] == usable["path"]).sum())
    if alone:
        logger.warning(
            "NO GROUP could be read for %s of %s images: each is a group of its own. If patients have several images, "
            "they may be on both sides of the split. Set ingest.group_patterns, or put a groups.csv (path, group) "
            "beside the images.",
            f"{alone:,}",
            f"{len(usable):,}",
        )
    return index


def list_rejected(image_index: pd.DataFrame) -> pd.DataFrame:
    """List the image files that are not used, with the reason."""
    rejected = image_index[image_index["status"] == REJECTED]
    return rejected[["path", "reason", "label", "source_split", "bytes", "sha256"]].reset_index(drop=True)


def list_duplicates(image_index: pd.DataFrame) -> pd.DataFrame:
    """List the surplus copies of images, each with the file that was kept."""
    duplicates = image_index[image_index["status"] == DUPLICATE]
    columns = ["path", "reason", "label", "group", "source_split", "sha256"]
    return duplicates[columns].sort_values(["sha256", "path"], ignore_index=True)


def find_near_duplicates(
    chest_xrays: ImageSource, image_index: pd.DataFrame, rejected_images: pd.DataFrame, parameters: IngestParameters
) -> pd.DataFrame:
    """List pairs of images that show the same radiograph with different bytes.

    Returns:
        One row per pair; see `pneumonia.images.near_duplicates.COLUMNS`.

    Raises:
        UserError: If more than `max_rejected` of all images were rejected.
    """
    refuse_too_many_rejected(rejected_images, len(image_index), parameters)
    return copies.find_near_duplicates(chest_xrays, image_index, parameters)


def split_images(
    image_index: pd.DataFrame,
    rejected_images: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Split the usable images into train, val and test, keeping groups together.

    Returns:
        One row per usable image, by path; see `pneumonia.split.manifest.COLUMNS`.

    Raises:
        UserError: If more than `max_rejected` of all images were rejected, or the demands cannot be met.
    """
    refuse_too_many_rejected(rejected_images, len(image_index), parameters)
    return make_manifest(image_index, near_duplicates, parameters)


def refuse_other_classes(chest_xrays: ImageSource, parameters: IngestParameters) -> None:
    """Stop a run whose class folders have different names, before any image is read.

    Raises:
        UserError: If no image is in a folder of either class.
    """
    if {file.label for file in chest_xrays.listing.files}.isdisjoint(parameters.class_names):
        raise UserError(describe_other_classes(chest_xrays, parameters))


def refuse_too_many_rejected(rejected: pd.DataFrame, found: int, parameters: IngestParameters) -> None:
    """Stop a run with too many unusable images.

    Raises:
        UserError: With the list, if more than the share `max_rejected` was rejected.
    """
    if len(rejected) <= parameters.max_rejected * found:
        return
    lines = [f"  {path}: {reason}" for path, reason in zip(rejected["path"], rejected["reason"], strict=True)]
    more = [f"  and {len(lines) - SHOWN:,} more: see rejected_images in the catalog"] if len(lines) > SHOWN else []
    listed = "\n".join(lines[:SHOWN] + more)
    raise UserError(
        f"{len(rejected):,} of {found:,} image files cannot be used, more than the share "
        f"{parameters.max_rejected:g} that ingest.max_rejected allows. Fix or remove them, or raise it:\n{listed}"
    )
