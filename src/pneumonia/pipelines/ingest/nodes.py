"""Nodes of the ingest pipeline that are more than one function of the domain, and its figure."""

import logging
from typing import Any

import pandas as pd

from pneumonia.base.annotations import Figure
from pneumonia.base.engine import LOCAL
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EngineParameters, IngestParameters, LabelsParameters
from pneumonia.images import duplicates as copies
from pneumonia.images.account import describe_other_classes, refuse_further_classes, refuse_unusable, warn
from pneumonia.images.cache import IndexCache
from pneumonia.images.duplicates import mark_duplicates
from pneumonia.images.index import examine_files, make_index
from pneumonia.images.labels import PROBLEM_COLUMNS, with_labels
from pneumonia.images.layout import SPLITS
from pneumonia.images.sites import place, settings_of, sources_of
from pneumonia.images.source import ImageSource
from pneumonia.images.status import DUPLICATE, REJECTED
from pneumonia.report.style import SERIES, SPLIT_COLOURS, new_figure, row_axes
from pneumonia.report.words import say_count, say_set_share
from pneumonia.split.manifest import make_manifest
from pneumonia.split.summary import ALL

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
        if not site:  # the command that it names is one for a single source
            refuse_further_classes(labelled, own)
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
        One row per pair; see `pneumonia.images.duplicates.PAIR_COLUMNS`.

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


def draw_split(split_table: pd.DataFrame) -> Figure:
    """Draw the images of every split, and how far val is from its target share.

    Args:
        split_table: As `tabulate_split` returns it.
    """
    leaves, strata = _leaves(split_table), split_table[split_table["split"] == "val"]
    figure, (left, right) = new_figure(9.6, 3.6, columns=2, width_ratios=(3, 2))
    start = pd.Series(0, index=list(SPLITS))
    for colour, ((label, etiology), rows) in zip(
        SERIES, leaves.groupby(["label", "etiology"], sort=False), strict=False
    ):
        counts = rows.set_index("split").reindex(SPLITS)
        name = label if etiology == ALL else f"{label}, {etiology}"
        left.barh(range(len(SPLITS)), counts["images"], left=start.to_numpy(), height=0.6, color=colour, label=name)
        start = start + counts["images"]
    groups = split_table[split_table["label"] == ALL].set_index("split")["groups"]
    is_by_image = (groups[list(SPLITS)] == start).all()
    for row, split in enumerate(SPLITS):
        counted = say_count(start[split], "image") + ("" if is_by_image else f", {say_count(groups[split], 'group')}")
        left.annotate(f" {counted}", (start[split], row), va="center", fontsize=8.5)
    row_axes(left, SPLITS)
    left.margins(x=0.45)
    left.set_title("Images per split")
    left.legend(loc="lower right")
    names = [
        "all" if row.label == ALL else row.label if row.etiology == ALL else row.etiology for row in strata.itertuples()
    ]
    right.axvspan(-1, 1, color=SPLIT_COLOURS["val"], alpha=0.12, linewidth=0)
    right.plot(strata["points_off"], range(len(names)), "o", color=SPLIT_COLOURS["val"])
    row_axes(right, names)
    limit = 1.25 * max(1.0, strata["points_off"].abs().max())
    right.set_xlim(-limit, limit)
    right.set_xlabel("percentage points (band: 1 point)")
    right.set_title(f"Val: deviation from {say_set_share(strata['demanded'].iloc[0])}")
    return figure


def _leaves(split_table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that add up to all images: the finest stratum of every class."""
    rows = split_table[split_table["label"] != ALL]
    finest = rows.groupby("label")["etiology"].transform(lambda names: len(set(names)) > 1)
    return rows[~finest | (rows["etiology"] != ALL)]
