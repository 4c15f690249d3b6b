"""Nodes of the ingest pipeline that are more than one function of the domain."""

import logging
from typing import Any

import pandas as pd

from pneumonia.base.engine import LOCAL
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EngineParameters, IngestParameters, LabelsParameters
from pneumonia.images import near_duplicates as copies
from pneumonia.images.account import describe_other_classes, refuse_unusable, warn
from pneumonia.images.cache import IndexCache
from pneumonia.images.copies import mark_duplicates
from pneumonia.images.index import examine_files, make_index
from pneumonia.images.labels import PROBLEM_COLUMNS, with_labels
from pneumonia.images.sites import place, settings_of, sources_of
from pneumonia.images.source import ImageSource
from pneumonia.images.status import DUPLICATE, REJECTED
from pneumonia.split.manifest import make_manifest

logger = logging.getLogger(__name__)

# How many folders an error message lists.
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
        One row per image file, by path; see `pneumonia.images.index.INDEX_COLUMNS`. `status` is one of
        `pneumonia.images.status`, with the reason. Also what does not match in the table of labels, with the columns
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
        problems += [(kind, f"{site}/{path}" if site else path, note) for kind, path, note in found]
        indexes.append(place(index_labelled(labelled, index_cache, own, engine), site, own, parameters))
    index = indexes[0] if len(indexes) == 1 else mark_duplicates(pd.concat(indexes, ignore_index=True))
    return index, pd.DataFrame(problems, columns=list(PROBLEM_COLUMNS), dtype=str)


def index_labelled(
    images: ImageSource, index_cache: IndexCache, parameters: IngestParameters, engine: EngineParameters = LOCAL
) -> pd.DataFrame:
    """Index images whose labels are known, from folders or by `with_labels`."""
    refuse_other_classes(images, parameters)
    facts = examine_files(images, index_cache, parameters, engine)
    index = mark_duplicates(make_index(images, facts, parameters))
    warn(index)
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
        One row per pair; see `pneumonia.images.near_duplicates.PAIR_COLUMNS`.

    Raises:
        UserError: If too many images were rejected or show next to nothing, or one patient's ID is on most of them.
    """
    refuse_unusable(rejected_images, image_index, parameters)
    return copies.find_near_duplicates(chest_xrays, image_index, parameters)


def split_images(
    image_index: pd.DataFrame,
    rejected_images: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Split the usable images into train, val and test, keeping groups together.

    Returns:
        One row per usable image, by path; see `pneumonia.split.manifest.MANIFEST_COLUMNS`.

    Raises:
        UserError: If too many images cannot be used, or the demands cannot be met.
    """
    refuse_unusable(rejected_images, image_index, parameters)
    return make_manifest(image_index, near_duplicates, parameters)


def refuse_other_classes(chest_xrays: ImageSource, parameters: IngestParameters) -> None:
    """Stop a run whose class folders have different names, before any image is read.

    Raises:
        UserError: If no image is in a folder of either class.
    """
    if {file.label for file in chest_xrays.listing.files}.isdisjoint(parameters.class_names):
        raise UserError(describe_other_classes(chest_xrays, parameters))
