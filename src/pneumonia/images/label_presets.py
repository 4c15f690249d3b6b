"""Tables of labels, people's own and in their publishers' formats, read into uniform rows."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.base.text import name_some
from pneumonia.images.columns import column_of_key
from pneumonia.images.label_rows import (
    LATERAL_VIEW,
    OTHER_FINDINGS,
    OVERFULL,
    LabelRow,
    Row,
    find_label_column,
    patient_facts,
    read_plain,
)
from pneumonia.images.tables import Table, spelling

PLAIN = "plain"
_POLICY = {"positive": 1.0, "negative": 0.0}


def fits_preset(columns: Sequence[str], preset: str) -> bool:
    """Tell whether a table has the columns that a publisher's has."""
    return set(map(spelling, PRESETS[preset].needed)) <= set(map(spelling, columns))


def read_rows(table: Table, ingest: IngestParameters, labels: LabelsParameters, key: str = "path") -> list[LabelRow]:
    """Read a table of labels whose rows name images by a key.

    Raises:
        UserError: If it is not such a table, or requires a policy that is not set.
    """
    if labels.preset == PLAIN:
        path, label = column_of_key(key, table.columns, labels), find_label_column(table, ingest, labels)
        is_published = preset_of(table.columns) and not labels.columns.label
        if not path or not label or is_published:
            raise UserError(_name_missing(table, key, path, label))
        return _count_cells(read_plain(table, ingest, labels, key), table)
    needed, read = PRESETS[labels.preset].needed, PRESETS[labels.preset].read
    names = {spelling(column): column for column in table.columns}
    missing = [name for name in needed if spelling(name) not in names]
    if missing:
        raise UserError(
            f"The table of labels lacks the columns {', '.join(missing)} of the preset {labels.preset}; it has "
            f"{name_some(table.columns)}. {_advise_preset(table.columns)}"
        )
    written = {name: names[spelling(name)] for name in needed}
    rows: list[Row] = [{**row, **{name: row[column] for name, column in written.items()}} for row in table.rows]
    return _count_cells(read(rows, ingest, labels), table)


def _count_cells(rows: Iterable[LabelRow], table: Table) -> list[LabelRow]:
    """Return the rows: without a label where one has more cells than the header, with a note where it has fewer."""
    counted = []
    for row, line in zip(rows, table.lines, strict=True):
        if line in table.overfull:
            row = replace(row, label="", reason=OVERFULL, unread=())
        if line in table.short:
            row = replace(row, unread=(*row.unread, ("row with fewer cells than columns", f"line {line}")))
        counted.append(row)
    return counted


def preset_of(columns: Sequence[str]) -> str:
    """Return the preset whose publisher's table has such columns, and nobody else's; "" if none."""
    own = set(map(spelling, columns))
    return next((name for name, preset in PRESETS.items() if {*map(spelling, preset.own)} <= own), "")


def _advise_preset(columns: Sequence[str]) -> str:
    return f"Set labels.preset={preset_of(columns) or PLAIN}, or name another table: labels.table."


def _name_missing(table: Table, key: str, path: str, label: str) -> str:
    """Say which columns were not recognised, and what to do."""
    known_as = {"path": key, "label": "label"}
    missing = [name for name, found in (("path", path), ("label", label)) if not found]
    advice = ",".join(f"labels.columns.{name}=COLUMN" for name in missing)
    has = f"it has {name_some(table.columns)}"
    if preset := preset_of(table.columns):
        return f"The table of labels looks like that of {preset} ({has}): --params=labels.preset={preset}."
    unknown = " or ".join(known_as[name] for name in missing)
    return f"The table of labels has no column that is known as {unknown}; {has}. Say which: {advice}."


def _read_nih(rows: list[Row], ingest: IngestParameters, labels: LabelsParameters) -> Iterator[LabelRow]:
    """Read NIH ChestX-ray14: findings joined by |."""
    for row in rows:
        findings = set(row["Finding Labels"].split("|"))
        is_positive = not findings.isdisjoint(labels.positive_findings)
        is_negative = not findings.isdisjoint(labels.negative_findings)
        label = _class_of(is_positive, is_negative, ingest)
        sex = row.get("Patient Gender") or row.get("Patient Sex", "")
        facts = {"age": row.get("Patient Age", ""), "sex": sex, "view": row.get("View Position", "")}
        age, sex, view, unread = patient_facts(facts)
        reason = "" if label else OTHER_FINDINGS
        yield LabelRow(row["Image Index"], label, reason, row["Patient ID"], "", age, sex, view, unread=unread)


def _read_chexpert(rows: list[Row], ingest: IngestParameters, labels: LabelsParameters) -> Iterator[LabelRow]:
    """Read CheXpert: a column for each finding, of 1, 0, -1 (uncertain) or blank (not mentioned)."""
    for name in (*labels.positive_findings, *labels.negative_findings):
        if rows and name not in rows[0]:
            raise UserError(f"The table of labels has no column {name}. Set labels.positive_findings or its opposite.")
    for row in rows:
        label, reason = _judge_chexpert(row, ingest, labels)
        if row["Frontal/Lateral"].strip().lower() == "lateral":
            label, reason = "", LATERAL_VIEW
        patient = re.search(r"patient\d+", row["Path"])
        age, sex, view, unread = patient_facts({"age": row["Age"], "sex": row["Sex"], "view": row["AP/PA"]})
        yield LabelRow(
            row["Path"], label, reason, patient.group() if patient else "", "", age, sex, view, unread=unread
        )


def _judge_chexpert(row: Row, ingest: IngestParameters, labels: LabelsParameters) -> tuple[str, str]:
    """Return the class of a row, or why it has none."""
    values = [_finding(row[name]) for name in labels.positive_findings]
    if 1.0 in values:
        return ingest.positive_class, ""
    for value, policy, name in ((-1.0, labels.uncertain, "uncertain"), (None, labels.blank, "blank")):
        if value is None and any(_finding(row[finding]) == 1.0 for finding in labels.negative_findings):
            return ingest.negative_class, ""
        if value not in values:
            continue
        if policy == "refuse":
            raise UserError(
                f"The table of labels has {name} findings, the first for {row['Path']}. Set how they are counted: "
                f"labels.{name} = positive, negative or leave_out."
            )
        if policy == "leave_out":
            return "", f"{name} finding"
        values = [_POLICY[policy] if known == value else known for known in values]
        if 1.0 in values:
            return ingest.positive_class, ""
    return ingest.negative_class, ""


def _read_rsna(rows: list[Row], ingest: IngestParameters, labels: LabelsParameters) -> Iterator[LabelRow]:
    """Read RSNA's table of boxes: several rows an image, with one target. Each image is its own group."""
    for row in rows:
        target = _finding(row["Target"])
        label = ingest.positive_class if target == 1.0 else ingest.negative_class if target == 0.0 else ""
        reason = "" if label else f"unknown label {row['Target'] or '(none)'}"
        yield LabelRow(row["patientId"], label, reason, row["patientId"], may_repeat=True)


def _finding(text: str) -> float | None:
    """Return 1, 0, -1, or None for a blank."""
    return float(text) if text.strip() in ("1", "0", "-1", "1.0", "0.0", "-1.0") else None


def _class_of(is_positive: bool, is_negative: bool, ingest: IngestParameters) -> str:
    if is_positive == is_negative:
        return ""
    return ingest.positive_class if is_positive else ingest.negative_class


_Reader = Callable[[list[Row], IngestParameters, LabelsParameters], Iterator[LabelRow]]


class Preset(NamedTuple):
    """How a publisher's tables are called and read.

    Attributes:
        files: The names of the files, as patterns in lower case.
        example: The name of one as published.
        needed: The columns that are read.
        own: Columns that nobody else's table has together.
        read: Reads the rows.
    """

    files: tuple[str, ...]
    example: str
    needed: tuple[str, ...]
    own: tuple[str, ...]
    read: _Reader


_NIH = ("Image Index", "Finding Labels", "Patient ID")
_CHEXPERT = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
_RSNA = ("patientId", "Target")
PRESETS = {
    "nih": Preset(("data_entry_2017*", "sample_labels*"), "Data_Entry_2017.csv", _NIH, _NIH[:2], _read_nih),
    "chexpert": Preset(("train.*", "valid.*", "test.*"), "train.csv", _CHEXPERT, _CHEXPERT, _read_chexpert),
    "rsna": Preset(
        ("stage_?_train_labels*",), "stage_2_train_labels.csv", _RSNA, (*_RSNA, "x", "y", "width", "height"), _read_rsna
    ),
}
