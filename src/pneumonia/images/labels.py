"""Labels from a table instead of class folders.

`with_labels` gives a source whose listing has the table's labels, groups and facts of the patients; paths do not
change, so pixels may be read through either source. Class folders get the name of their class, whatever their case. If
there is no table and nothing to rename, it returns the source itself. Every pipeline that needs labels calls it once,
before it looks at `source.listing`.

Tables are people's own, such as `labels.csv` beside the images, or the original ones of NIH ChestX-ray14, CheXpert and
RSNA; `pneumonia.images.label_presets` reads them, `pneumonia.images.label_tables` finds them.
"""

import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import NamedTuple

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.base.text import name_some
from pneumonia.images import matching
from pneumonia.images.columns import AUTO, HEADER_KEYS, column_of_key, likely_keys
from pneumonia.images.grouping import PatientKey
from pneumonia.images.label_presets import PLAIN, read_rows
from pneumonia.images.label_rows import LabelRow, find_label_column, refuse_unknown_labels, say_columns, without_keys
from pneumonia.images.label_tables import find_tables
from pneumonia.images.layout import NOT_IN_CLASS_FOLDER, ImageFile, Listing
from pneumonia.images.patience import LostError
from pneumonia.images.source import ImageSource
from pneumonia.images.tables import Table
from pneumonia.images.words import class_folders

logger = logging.getLogger(__name__)

PROBLEM_COLUMNS = ("kind", "path", "note")

_SHOWN = 3
# A shorter key in a column of an unknown name may be anything.
_LEAST_LETTERS = 5
# What several rows of an image say of it together.
_FACTS = ("group", "patient", "split", "age", "sex", "view", "site")
# How many letters of a cell that could not be read are listed.
_LETTERS = 20


class Claim(NamedTuple):
    """A row that names a file, and how well."""

    fit: matching.RowFit
    row: LabelRow


@dataclass(frozen=True)
class TableReading:
    """The rows of the tables read in one way, with the files that each names."""

    table: Table
    labels: LabelsParameters
    read_by: str  # the key whose column was read
    key: str  # how files were matched: where that was by a part of their names, `name`
    rows: Sequence[LabelRow]
    matches: Sequence[matching.Match]

    @property
    def matched(self) -> int:
        """The number of rows that name a file."""
        return sum(_names_files(match, self.key) for match in self.matches)

    @property
    def legible(self) -> int:
        """How many rows have a known label, less what could not be read in them."""
        return sum(bool(row.label) - len(row.unread) for row in self.rows)


def with_labels(
    source: ImageSource, ingest: IngestParameters, labels: LabelsParameters, patient_key: PatientKey
) -> ImageSource:
    """Return the source with the labels of its table, or with the names of its class folders, or the source itself.

    Rows without a file, files without a row, repeated rows, unknown labels, and what could not be read or was matched
    by less than its path, are in `listing.label_problems`, with the columns `PROBLEM_COLUMNS`; files without a label
    are left out, not rejected.

    Raises:
        UserError: If a table cannot be read, matches none of the files, or gives none a label.
    """
    source = _with_class_names(source, ingest)
    tables = find_tables(source, ingest, labels)
    if not tables:
        return source
    found = _Reader(source, ingest, labels).read(tables)
    if labels.preset == PLAIN:
        logger.info("Table of labels: %s.", say_columns(found.table, ingest, found.labels, found.read_by))
    listing = _label(source.listing, found, ingest.class_names, patient_key.group_of)
    for kind, count in sorted(Counter(kind for kind, _, _ in listing.label_problems).items()):
        logger.warning("Table of labels: %s: %s (listed in label_problems).", kind, f"{count:,}")
    return source.with_listing(listing)


class _Reader:
    """Finds out how a table names the files: in which encoding, and by which key."""

    def __init__(self, source: ImageSource, ingest: IngestParameters, labels: LabelsParameters) -> None:
        self._source, self._ingest, self._labels = source, ingest, labels

    @cached_property
    def _headers(self) -> matching.Headers:
        files = [file for file in self._source.listing.files if not file.member.problem]
        return matching.read_headers(files, self._source.read_start)

    def read(self, tables: Sequence[Sequence[Table]]) -> TableReading:
        """Return the reading with the most rows that name files; of equal ones the most legible, then the likeliest.

        Args:
            tables: The tables, each in every encoding that it may have.

        Raises:
            UserError: If they are no tables of labels, or no row names a file.
        """
        readings, errors = [], []
        for choice in product(*tables):
            try:
                readings.append(self._read(choice))
            except LostError:
                raise
            except UserError as error:  # in another encoding it may be right
                errors.append(error)
        best = max(readings, key=lambda reading: (reading.matched, reading.legible), default=None)
        if best is None:
            raise errors[0]
        if not best.matched:
            raise UserError(self._describe_mismatch(best.rows, best.key))
        return best

    def _read(self, tables: Sequence[Table]) -> TableReading:
        """Return the reading by the first key by which any row names a file; further ones would be guesses."""
        last = None
        for key, labels in self._ways(tables[0]):
            last = self._match(tables, key, labels)
            if last.matched:
                return last
        for key in likely_keys(tables[0].columns, self._labels) if self._labels.preset == PLAIN else ():
            if (parted := self._match_parts(tables, key)).matched:
                return parted
        return last or self._match(tables, "path" if self._labels.key == AUTO else self._labels.key, self._labels)

    def _ways(self, table: Table) -> Iterator[tuple[str, LabelsParameters]]:
        """Give the keys by which a table may name files: as its columns are called, or else as their cells fit."""
        if self._labels.preset != PLAIN:
            yield "path", self._labels
            return
        for key in likely_keys(table.columns, self._labels):
            if column_of_key(key, table.columns, self._labels):
                yield key, self._labels
        is_said = self._labels.key != AUTO or self._labels.columns.path
        if is_said or not find_label_column(table, self._ingest, self._labels):
            return
        for check in (self._key_of_names, self._key_of_headers):
            for column in table.columns:
                if key := check([row[column] for row in table.rows]):
                    columns = self._labels.columns.model_copy(update={"path": column})
                    yield key, self._labels.model_copy(update={"columns": columns, "key": key})

    def _key_of_names(self, cells: Sequence[str]) -> str:
        """Return "path" if most cells are paths of files; numbers alone may be anything."""
        paths = [cell if not cell.isdecimal() else "" for cell in cells]
        matches = matching.match_paths(paths, self._source.listing.files)
        fitting = sum(len(match.files) == 1 and match.fit <= matching.RowFit.STEM for match in matches)
        return "path" if fitting * 2 > len(cells) else ""

    def _key_of_headers(self, cells: Sequence[str]) -> str:
        """Return the value of DICOM headers that most cells are; short ones, and patients' IDs, may be anything."""
        keys = [key for key in map(matching.tidy_key, cells) if len(key) >= _LEAST_LETTERS]
        for kind in HEADER_KEYS:
            if kind != "patient" and sum(key in self._headers[kind] for key in keys) * 2 > len(cells):
                return kind
        return ""

    def _match(self, tables: Sequence[Table], key: str, labels: LabelsParameters) -> TableReading:
        rows = [row for table in tables for row in read_rows(table, self._ingest, labels, key)]
        named = [row.path for row in rows]
        read = partial(TableReading, tables[0], labels, key, key)
        if key in HEADER_KEYS:
            by_key: Mapping[str, Sequence[ImageFile]] = self._headers[key]
            if key != "sop_uid" and not by_key:
                by_key = matching.by_folder(named, self._source.listing.files)
                rows = [replace(row, patient=row.patient or row.path) for row in rows] if key == "patient" else rows
            return read(without_keys(rows), matching.match_keys(named, by_key))
        return read(rows, matching.match_paths(named, self._source.listing.files, only_name=key == "name"))

    def _match_parts(self, tables: Sequence[Table], key: str) -> TableReading:
        """Match files by parts of their names; a row that would name several names none, whatever its key."""
        rows = [row for table in tables for row in read_rows(table, self._ingest, self._labels, key)]
        matches = matching.match_parts([row.path for row in rows], self._source.listing.files)
        rows = without_keys(rows) if key in HEADER_KEYS else rows
        return TableReading(tables[0], self._labels, key, "name", rows, matches)

    def _describe_mismatch(self, rows: Sequence[LabelRow], key: str) -> str:
        """Say why no row names a file, without quoting what a header holds."""
        address, files = self._source.address, self._source.listing.files
        if key in HEADER_KEYS:
            known = sum(map(len, self._headers[key].values()))
            return (
                f"None of the {len(rows):,} rows of the table of labels names a file at {address} by its "
                f"{matching.KEYWORDS[key]}, which {known:,} of {len(files):,} files have. Set labels.key to what the "
                "table holds, and labels.columns.path to its column; or add a column path with the files' names."
            )
        return (
            f"None of the {len(rows):,} rows of the table of labels names a file at {address}: the table has "
            f"{name_some([row.path for row in rows[:_SHOWN]])}; the files are "
            f"{', '.join(file.path for file in files[:_SHOWN])}. Set labels.columns.path to the column with their "
            "names, or labels.key if it holds something else; or add a column path with the files' names."
        )


def _label(
    listing: Listing, found: TableReading, classes: Sequence[str], hash_patient: Callable[[str], str]
) -> Listing:
    """Return the listing with the labels of the rows."""
    problems: list[tuple[str, str, str]] = []
    claims: dict[str, list[Claim]] = defaultdict(list)
    for row, match in zip(found.rows, found.matches, strict=True):
        if _names_files(match, found.key):
            for file in match.files:
                claims[file.path].append(Claim(match.fit, row))
        else:
            note = f"fits {len(match.files)} files" if match.files else "no file of that name"
            problems.append(("row without a file", row.path, note))
    chosen = {path: _choose(path, rows, problems) for path, rows in claims.items()}
    refuse_unknown_labels(chosen.values(), classes)
    chosen = {path: _with_group(row, hash_patient) for path, row in chosen.items()}
    labelled = tuple(_with_row(file, chosen.get(file.path)) for file in listing.files)
    problems += [(_kind(file, chosen), file.path, file.left_out) for file in labelled if file.left_out]
    problems += [
        ("label other than the class folder's", file.path, f"in the table: {now.label}")
        for file, now in zip(listing.files, labelled, strict=True)
        if now.label and file.label in classes and file.label != now.label
    ]
    return replace(listing, files=labelled, rows=chosen, label_problems=tuple(sorted(problems)))


def _choose(path: str, claims: Sequence[Claim], problems: list[tuple[str, str, str]]) -> LabelRow:
    """Return the row of a file, and note what is odd about it. A row that fits worse than another is not the file's."""
    fit = min(claim.fit for claim in claims)
    rows = [claim.row for claim in claims if claim.fit == fit]
    problems += [
        ("row without a file", claim.row.path, "another row fits better") for claim in claims if claim.fit > fit
    ]
    first, *others = rows
    told = {field: [value for row in rows if (value := getattr(row, field))] for field in _FACTS} if others else {}
    differing = "".join(f", another {field}" for field, values in told.items() if len(set(values)) > 1)
    for row in others:
        if not row.may_repeat:
            note = "same label" if row.label == first.label else "under two labels"
            problems.append(("repeated row", path, f"{note}{differing}"))
    first = replace(first, **{field: values[0] for field, values in told.items() if values})
    if fit in matching.REMARKS:
        problems.append((matching.REMARKS[fit], path, f"in the table: {first.path}"))
    problems += [(kind, path, value[:_LETTERS]) for kind, value in first.unread]
    if any(row.label != first.label for row in others):
        return replace(first, label="", reason="two labels in the table")
    return first


def _names_files(match: matching.Match, key: str) -> bool:
    """Tell whether a row names a file, not several that it cannot tell apart; a header's key may be that of many."""
    return len(match.files) == 1 or (bool(match.files) and key in HEADER_KEYS)


def _with_group(row: LabelRow, hash_patient: Callable[[str], str]) -> LabelRow:
    """Return a row whose group is its patient's, hashed, unless it has another; the ID itself is forgotten."""
    return replace(row, group=row.group or hash_patient(row.patient), patient="")


def _kind(file: ImageFile, chosen: Mapping[str, LabelRow]) -> str:
    return "unused label" if file.path in chosen else "file without a row"


def _with_row(file: ImageFile, row: LabelRow | None) -> ImageFile:
    """Return a file as its row says."""
    problem = "" if file.problem == NOT_IN_CLASS_FOLDER else file.problem
    if row is None:
        return replace(file, label="", problem=problem, left_out="no row in the table of labels")
    split = row.split or file.source_split
    return replace(file, label=row.label, source_split=split, problem=problem, left_out=row.reason)


def _with_class_names(source: ImageSource, ingest: IngestParameters) -> ImageSource:
    """Return the source with the classes' names on files in folders called so in another case, or by a synonym."""
    listing = source.listing
    found = class_folders({file.label for file in listing.files}, ingest)
    renamed = {folder: name for folder, name in found.items() if folder != name}
    if not renamed:
        return source
    logger.info("Class folders: %s.", ", ".join(f"{folder} is {name}" for folder, name in sorted(renamed.items())))
    files = (replace(file, label=sys.intern(renamed.get(file.label, file.label))) for file in listing.files)
    return source.with_listing(replace(listing, files=tuple(files)))
