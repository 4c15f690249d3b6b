"""Which of the files beside the images are tables of labels."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import PurePosixPath

from pneumonia.base.errors import UserError, as_parameters
from pneumonia.base.files import regular
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.columns import column_of_key, find_columns, likely_keys
from pneumonia.images.label_presets import PLAIN, PRESETS, fits_preset, preset_of
from pneumonia.images.label_rows import find_label_column, has_both_classes
from pneumonia.images.layout import SIDE_FILES
from pneumonia.images.members import LABELS_FILE
from pneumonia.images.patience import LostError
from pneumonia.images.source import ImageSource
from pneumonia.images.storage import expanded
from pneumonia.images.tables import SUFFIXES, Table, read_variants, spelling
from pneumonia.images.words import split_in

logger = logging.getLogger(__name__)

AUTO, NO_TABLE = "auto", "none"
# How many tables a message names.
_SHOWN = 10

# Columns of a table of boxes, with a row for each of several in an image.
_BOX = re.compile(r"[xy](?:_?min|_?max|[0-2])?|bbox.*", re.IGNORECASE)
# A table in every encoding that it may have.
Variants = Sequence[Table]


def find_tables(source: ImageSource, ingest: IngestParameters, labels: LabelsParameters) -> list[Variants]:
    """Return the tables that are read together; none where class folders give the labels.

    Raises:
        UserError: If the table that the parameters name is not there or cannot be read, or it is not clear which of
            several is meant.
    """
    if labels.table == NO_TABLE:
        return []
    if labels.table != AUTO:
        return [_read_named(source, labels.table)]
    content = source.read_table(LABELS_FILE)
    if content is not None:
        return [list(read_variants(content, LABELS_FILE))]
    if labels.preset != PLAIN:
        return _find_published(source, labels.preset)
    if any(file.label in ingest.class_names for file in source.listing.files):
        return []
    return _find_only_one(source, ingest, labels)


def _read_named(source: ImageSource, name: str) -> Variants:
    """Read the table that the parameters name: beside the images, or at a path of its own."""
    content = source.read_table(name)
    if content is None:
        try:
            content = regular(expanded(name)).read_bytes()
        except OSError as error:
            beside = ", ".join(sorted(source.listing.tables)[:_SHOWN]) or "none"
            raise UserError(
                f"The table of labels {name} is neither among the images at {source.address} nor a readable file "
                f"({error.strerror}). Tables there: {beside}. Name one of them, or a path: labels.table."
            ) from error
    return list(read_variants(content, PurePosixPath(name).name))


def _find_published(source: ImageSource, preset: str) -> list[Variants]:
    """Return the publisher's tables beside the images: by their names, or else by their columns."""
    tables = _candidates(source)
    called = {
        path: variants
        for path, variants in tables.items()
        if any(fnmatch(PurePosixPath(path).name.lower(), pattern) for pattern in PRESETS[preset].files)
    }
    for fitting in (called, tables):
        found = {path: variants for path, variants in fitting.items() if fits_preset(variants[0].columns, preset)}
        if found:
            logger.info("Labels are read from %s.", " and ".join(found))
            return list(found.values())
    raise UserError(
        f"Beside the images at {source.address} is no table of {preset}, such as {PRESETS[preset].example} with "
        f"the columns {', '.join(PRESETS[preset].needed)}. Put it there, or name its path: labels.table."
    )


def _find_only_one(source: ImageSource, ingest: IngestParameters, labels: LabelsParameters) -> list[Variants]:
    """Return the only table with labels, where no class folder gives any; none if no table looks like one."""
    tables = _candidates(source)
    for path, variants in tables.items():
        if (preset := preset_of(variants[0].columns)) and not labels.columns.label:
            raise UserError(f"{path} is the table of {preset}: --params=labels.preset={preset} reads it.")
    labelled = _only(tables, lambda table: bool(find_label_column(table, ingest, labels)))
    # Only if no table has a column that is called like a key, one of another name may be it.
    fitting = _only(labelled, lambda table: _has_key(table, labels)) or labelled
    # One with all labels alike, such as the form of a submission, is none beside one with both.
    both = _only(fitting, lambda table: has_both_classes(table, ingest, labels))
    # Nor is one of boxes beside one of images.
    whole = _only(both, lambda table: not any(map(_BOX.fullmatch, table.columns)))
    for chosen in (fitting, both, whole):
        splits = {path: split_in(path) for path in chosen}
        is_parted = all(splits.values()) and len(set(splits.values())) == len(chosen) == _alike(chosen.values())
        if len(chosen) == 1 or (chosen and is_parted):
            logger.info("Labels are read from %s.", " and ".join(chosen))
        if len(chosen) == 1:
            return list(chosen.values())
        if chosen and is_parted:
            return [[_with_split(table, splits[path], labels) for table in found] for path, found in chosen.items()]
    if fitting:
        raise UserError(
            f"Several tables at {source.address} have labels: {', '.join(sorted(fitting)[:_SHOWN])}. Name one: "
            f"{as_parameters(f'labels.table={min(fitting)}')}."
        )
    return []


def _candidates(source: ImageSource) -> Mapping[str, Variants]:
    """Read every table beside the images that may have labels, by path."""
    paths = [
        path
        for path in sorted(source.listing.tables)
        if PurePosixPath(path).suffix.lower() in SUFFIXES and PurePosixPath(path).name.lower() not in SIDE_FILES
    ]
    found = {}
    for path in paths:
        try:
            found[path] = list(read_variants(source.read_table(path) or b"", path))
        except LostError:
            raise
        except UserError as error:
            logger.warning("%s It is passed over.", error.message)
    return found


def _only(tables: Mapping[str, Variants], check: Callable[[Table], bool]) -> dict[str, Variants]:
    """Return the tables that pass a check, each in the encodings in which it does."""
    kept = {path: [table for table in found if check(table)] for path, found in tables.items()}
    return {path: found for path, found in kept.items() if found}


def _has_key(table: Table, labels: LabelsParameters) -> bool:
    """Tell whether a table has a column that is called like a key of images."""
    return any(column_of_key(key, table.columns, labels) for key in likely_keys(table.columns, labels))


def _alike(tables: Iterable[Variants]) -> int:
    """Count the tables if all have the same columns, so that they may be parts of one."""
    columns = [set(map(spelling, variants[0].columns)) for variants in tables]
    return len(columns) if all(found == columns[0] for found in columns) else 0


def _with_split(table: Table, split: str, labels: LabelsParameters) -> Table:
    """Return the table of a split with a column that says so, unless it has one."""
    if find_columns(table.columns, labels).get("split"):
        return table
    rows = tuple({**row, "split": split} for row in table.rows)
    return replace(table, columns=(*table.columns, "split"), rows=rows)
