"""Tables of labels in their publishers' formats, read into uniform rows."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters

OTHER_FINDINGS = "neither a positive nor a negative finding"
_YEARS = re.compile(r"0*(\d+(?:\.\d+)?)\s*[yY]?")
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_POLICY = {"positive": 1.0, "negative": 0.0}


@dataclass(frozen=True)
class LabelRow:
    """What a table says about one image.

    Attributes:
        path: The image, as named in the table.
        label: One of the two classes; empty if the image is left out.
        reason: Why it is left out.
        group: Images that belong together; like the following, empty if the table does not say.
        split: Name of the published split.
        age: Age in years.
        sex: F, M or O.
        view: View position, such as PA.
        may_repeat: Whether several rows for one image are normal, as in RSNA's table of boxes.
    """

    path: str
    label: str
    reason: str = ""
    group: str = ""
    split: str = ""
    age: str = ""
    sex: str = ""
    view: str = ""
    may_repeat: bool = False


Row = Mapping[str, str]


def read_rows(content: bytes, ingest: IngestParameters, labels: LabelsParameters) -> list[LabelRow]:
    """Read a table of labels.

    Raises:
        UserError: If it is not such a table, or requires a policy that is not set.
    """
    needed, read = _PRESETS[labels.preset]
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        missing = [name for name in needed if name not in (table.fieldnames or ())]
        if missing:
            raise UserError(
                f"The table of labels lacks the columns {', '.join(missing)} of the preset {labels.preset}; it has "
                f"{', '.join(table.fieldnames or ['none'])}. Set labels.preset."
            )
        rows: list[Row] = [{key: value or "" for key, value in row.items() if key is not None} for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"The table of labels is not a CSV table in UTF-8 ({error}).") from error
    return list(read(rows, ingest, labels))


def _read_plain(rows: list[Row], ingest: IngestParameters, labels: LabelsParameters) -> Iterator[LabelRow]:
    """Read path and label: the name of a class, or 1 and 0."""
    names = {
        "1": ingest.positive_class, "0": ingest.negative_class, **{name: name for name in ingest.class_names}
    }  # fmt: skip
    for row in rows:
        label = names.get(row["label"].strip(), "")
        yield LabelRow(
            row["path"], label, "" if label else f"unknown label {row['label'] or '(none)'}",
            row.get("group", ""), row.get("split", ""), *_patient(row, "age", "sex", "view"),
        )  # fmt: skip


def _read_nih(rows: list[Row], ingest: IngestParameters, labels: LabelsParameters) -> Iterator[LabelRow]:
    """Read NIH ChestX-ray14: findings joined by |."""
    for row in rows:
        findings = set(row["Finding Labels"].split("|"))
        is_positive = not findings.isdisjoint(labels.positive_findings)
        is_negative = not findings.isdisjoint(labels.negative_findings)
        label = _class_of(is_positive, is_negative, ingest)
        facts = _patient(row, "Patient Age", "Patient Gender", "View Position")
        yield LabelRow(row["Image Index"], label, "" if label else OTHER_FINDINGS, row["Patient ID"], "", *facts)


def _read_chexpert(rows: list[Row], ingest: IngestParameters, labels: LabelsParameters) -> Iterator[LabelRow]:
    """Read CheXpert: a column for each finding, of 1, 0, -1 (uncertain) or blank (not mentioned)."""
    for name in (*labels.positive_findings, *labels.negative_findings):
        if rows and name not in rows[0]:
            raise UserError(f"The table of labels has no column {name}. Set labels.positive_findings or its opposite.")
    for row in rows:
        label, reason = _judge_chexpert(row, ingest, labels)
        if row["Frontal/Lateral"].strip().lower() == "lateral":
            label, reason = "", "lateral view"
        patient = re.search(r"patient\d+", row["Path"])
        facts = _patient(row, "Age", "Sex", "AP/PA")
        yield LabelRow(row["Path"], label, reason, patient.group() if patient else "", "", *facts)


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
        label = {"1": ingest.positive_class, "0": ingest.negative_class}.get(row["Target"].strip(), "")
        reason = "" if label else f"unknown label {row['Target'] or '(none)'}"
        yield LabelRow(row["patientId"], label, reason, row["patientId"], may_repeat=True)


def _finding(text: str) -> float | None:
    """Return 1, 0, -1, or None for a blank."""
    return float(text) if text.strip() in ("1", "0", "-1", "1.0", "0.0", "-1.0") else None


def _class_of(is_positive: bool, is_negative: bool, ingest: IngestParameters) -> str:
    if is_positive == is_negative:
        return ""
    return ingest.positive_class if is_positive else ingest.negative_class


def _patient(row: Row, age: str, sex: str, view: str) -> tuple[str, str, str]:
    """Return age in years, sex and view position, each empty where the table does not say."""
    years = _YEARS.fullmatch(row.get(age, "").strip())
    return (
        years[1] if years else "",
        _SEXES.get(row.get(sex, "").strip().lower(), ""),
        row.get(view, "").strip().upper(),
    )


_Reader = Callable[[list[Row], IngestParameters, LabelsParameters], Iterator[LabelRow]]
_PRESETS: dict[str, tuple[tuple[str, ...], _Reader]] = {
    "plain": (("path", "label"), _read_plain),
    "nih": (("Image Index", "Finding Labels", "Patient ID"), _read_nih),
    "chexpert": (("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"), _read_chexpert),
    "rsna": (("patientId", "Target"), _read_rsna),
}
