"""Rows of a table of labels, and how people's own tables give them."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.base.text import name_some
from pneumonia.images.attributes import is_gap, parse_age, parse_sex, write_age
from pneumonia.images.columns import age_unit, column_of_key, find_columns, label_columns
from pneumonia.images.dicom_header import LATERAL, is_no_view, shows_other, view_of
from pneumonia.images.tables import Table, spelling
from pneumonia.images.words import UNSPLIT, class_of_column, class_of_word, is_yes, split_of

LATERAL_VIEW = "lateral view"
OTHER_IMAGE = "another part of the body, or another modality"
UNKNOWN_LABEL = "unknown label"
OVERFULL = "more cells than columns: a cell with a separator in it needs quotation marks"
OTHER_FINDINGS = "neither a positive nor a negative finding"
# How many letters of an unknown label, and how many labels, are shown.
_LETTERS, _SHOWN = 30, 3
# Share of the cells of a column without a known name that must name a class.
_MOST = 0.9
_DIGITS = re.compile(r"\d+")
# A shorter word for a gap may be the name of a patient.
_LEAST_GAP = 3


@dataclass(frozen=True)
class LabelRow:
    """What a table says about one image.

    Attributes:
        path: What names the image in the table: a path, or a value of its header.
        label: One of the two classes; empty if the image is left out.
        reason: Why it is left out.
        group: Images that belong together; like the following, empty if the table does not say.
        split: Published split, or "none" where the table's word for it is not known.
        age: Age in years.
        sex: F, M or O.
        view: View position, such as PA.
        site: Where the image comes from, if the table names several places.
        may_repeat: Whether several rows for one image are normal, as in RSNA's table of boxes.
        patient: The patient's ID, which must not be written.
        unread: What the row has that could not be read: kind and value.
        line: Its line in the table.
    """

    path: str
    label: str
    reason: str = ""
    group: str = ""
    split: str = ""
    age: str = ""
    sex: str = ""
    view: str = ""
    site: str = ""
    may_repeat: bool = False
    patient: str = ""
    unread: tuple[tuple[str, str], ...] = ()
    line: int = 0


Row = Mapping[str, str]


def read_plain(table: Table, ingest: IngestParameters, labels: LabelsParameters, key: str) -> Iterator[LabelRow]:
    """Read the columns of an image's key and label: the name of a class, 1 and 0, or another word for them."""
    columns = _columns_of(table, labels)
    path, label = column_of_key(key, table.columns, labels), find_label_column(table, ingest, labels)
    told = _classes_of(table, label, ingest, labels)
    opposite = _opposite_column(table, label, ingest, labels)
    opposed = _classes_of(table, opposite, ingest, labels) if opposite else {}
    letters = _letters_of_sexes(table, columns.get("sex", ""))
    for row, line in zip(table.rows, table.lines, strict=True):
        facts = {field: row[name] for field, name in columns.items()}
        if letters:
            facts["sex"] = letters.get(facts["sex"].strip().upper(), facts["sex"])
        age, sex, view, unread = patient_facts(facts, age_unit(columns.get("age", "")))
        split = "" if is_gap(facts.get("split", "")) else split_of(facts["split"]) or UNSPLIT
        if split == UNSPLIT:
            unread = (*unread, ("unknown split", facts["split"]))
        meant, reason = told[row[label]], ""
        if opposite and (meant or not row[label]):
            meant, reason = _of_two(meant, opposed[row[opposite]], class_of_column(label, ingest))
        if not meant:
            reason = reason or f"{UNKNOWN_LABEL} {row[label][:_LETTERS] or '(none)'}"
        if meant and view == LATERAL:
            meant, reason = "", LATERAL_VIEW
        if meant and shows_other(f"{facts.get('view', '')} {facts.get('modality', '')}"):
            meant, reason = "", OTHER_IMAGE
        yield LabelRow(
            row[path], meant, reason, _name_of(facts.get("group", "")), split, age, sex, view,
            site=facts.get("site", "").strip(), patient=_whole(_name_of(facts.get("patient", ""))), unread=unread,
            line=line,
        )  # fmt: skip


def say_columns(table: Table, ingest: IngestParameters, labels: LabelsParameters, key: str) -> str:
    """Say which column of a table is read as what, and which are not read.

    Args:
        table: The table.
        ingest: The classes.
        labels: Columns and words that were set.
        key: By which key its rows name files.
    """
    label = find_label_column(table, ingest, labels)
    used = {**_columns_of(table, labels), "path": column_of_key(key, table.columns, labels), "label": label}
    said = ", ".join(f"{field} is {name_some([column])}" for field, column in used.items())
    used["opposite"] = _opposite_column(table, label, ingest, labels)
    others = [column for column in table.columns if column not in used.values()]
    return f"{said}; not read: {name_some(others)}"


def _columns_of(table: Table, labels: LabelsParameters) -> dict[str, str]:
    """Return the columns by field; one that may tell splits only where it names some."""
    columns = find_columns(table.columns, labels)
    if not labels.columns.split and not _names_splits(table, columns.get("split", "")):
        columns.pop("split", None)
    return columns


def without_keys(rows: Sequence[LabelRow]) -> list[LabelRow]:
    """Return the rows named by their lines: what a header holds is not written."""
    return [replace(row, path=f"line {row.line} of the table") for row in rows]


def refuse_unknown_labels(rows: Collection[LabelRow], classes: Sequence[str]) -> None:
    """Refuse labels that leave a class without a file, as far as words that are not known may stand for it.

    Raises:
        UserError: Saying which labels are not known, and what to do.
    """
    reasons = Counter("" if row.label else row.reason for row in rows)
    missing = [name for name in classes if name not in {row.label for row in rows}]
    if len(missing) == len(classes) or (missing and any(reason.startswith(UNKNOWN_LABEL) for reason in reasons)):
        del reasons[""]
        shown = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(_SHOWN))
        of_class = "" if len(missing) > 1 else f" of {missing[0]}"
        raise UserError(
            f"The table of labels gives no file a usable label{of_class}: {shown}. Say what its labels mean: "
            "labels.words.positive=WORD,labels.words.negative=WORD (words with a comma only in "
            "conf/local/parameters.yml); or name their column: labels.columns.label=COLUMN."
        )


def _name_of(cell: str) -> str:
    """Return the name of a group or a patient; "" if the cell says that it is not known, as many rows may.

    Two letters, such as NA, may be a name all the same.
    """
    return "" if is_gap(cell) and not (cell.isalpha() and len(cell) < _LEAST_GAP) else cell


def _whole(number: str) -> str:
    """Return a number without the decimals that programs add to a column with gaps: 7 for 7.0."""
    return number.removesuffix(".0") if number.removesuffix(".0").isdecimal() else number


def _classes_of(table: Table, column: str, ingest: IngestParameters, labels: LabelsParameters) -> dict[str, str]:
    """Return the class that each cell of a column means, by its text; "" if none."""
    cells, yes = {row[column] for row in table.rows}, class_of_column(column, ingest)
    found = {text: class_of_word(text, ingest, labels, yes) for text in cells}
    codes = {cell for cell in cells if cell.isdecimal()}
    if codes >= {"1", "2"} and "0" not in codes:  # nothing says which is which
        said = (*labels.words.positive, *labels.words.negative)
        found |= {code: "" for code in codes if code not in said}
    found |= dict.fromkeys(_numbered(text for text, meant in found.items() if meant), "")
    return {**found, "-": ingest.negative_class} if {"+", "-"} <= cells else found


def _numbered(texts: Iterable[str]) -> set[str]:
    """Return the texts that differ in nothing but numbers, one of them 0, as "pneumonia=0" and "pneumonia=1"."""
    by_words: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        by_words[_DIGITS.sub("#", text)].add(text)
    alike = [found for words, found in by_words.items() if len(found) > 1 and any(map(str.isalpha, words))]
    return {text for found in alike if any("0" in _DIGITS.findall(one) for one in found) for text in found}


def _opposite_column(table: Table, column: str, ingest: IngestParameters, labels: LabelsParameters) -> str:
    """Return the column that says yes or no to the other class than a column of labels; "" if there is none.

    An image without either may show anything else, as in a table with a column for each finding.
    """
    own = class_of_column(column, ingest)
    others = [other for other in table.columns if class_of_column(other, ingest) not in ("", own)] if own else []
    return next((other for other in others if _share_of_classes(table, other, ingest, labels)), "")


def _of_two(meant: str, opposed: str, own: str) -> tuple[str, str]:
    """Return the class of a row, or why it has none, by what its columns of both classes say.

    Args:
        meant: The class that the cell in the column of one class means; "" if it is empty.
        opposed: The class that the cell in the other column means.
        own: The class that the first column is named after.
    """
    is_other = opposed not in ("", own)
    if meant == own:
        return ("", "two labels in the table") if is_other else (own, "")
    return (opposed, "") if is_other else ("", OTHER_FINDINGS)


def find_label_column(table: Table, ingest: IngestParameters, labels: LabelsParameters) -> str:
    """Return the column most of whose cells mean a class: by its name, or else the only one in which nearly all do."""
    named = label_columns(table.columns, ingest, labels)
    shares = {column: _share_of_classes(table, column, ingest, labels) for column in named or table.columns}
    # Of two columns, names of classes are clearer than codes.
    best = max(shares, key=lambda column: (shares[column], not _is_counted(table, column)), default="")
    if named and (labels.columns.label or not _is_counted(table, best)):
        return best
    others = [column for column in table.columns if column not in named]
    full = [
        column
        for column in others
        if (table.is_headless or not _is_counted(table, column))
        and _share_of_classes(table, column, ingest, labels) >= _MOST
    ]
    if not named:
        return full[0] if len(full) == 1 else ""
    return next((column for column in full if _says_the_same(table, best, column)), best)


def has_both_classes(table: Table, ingest: IngestParameters, labels: LabelsParameters) -> bool:
    """Tell whether the labels of a table mean both classes."""
    column = find_label_column(table, ingest, labels)
    return bool(column) and set(ingest.class_names) <= set(_classes_of(table, column, ingest, labels).values())


def _says_the_same(table: Table, codes: str, words: str) -> bool:
    """Tell whether the words of one column stand for the codes of another: one word for each code."""
    pairs = {(row[codes], row[words]) for row in table.rows}
    return len(pairs) == len({code for code, _ in pairs}) == len({word for _, word in pairs}) > 1


def _share_of_classes(table: Table, column: str, ingest: IngestParameters, labels: LabelsParameters) -> float:
    counts = Counter(row[column] for row in table.rows)
    known = sum(count for text, count in counts.items() if class_of_word(text, ingest, labels))
    return known / max(counts.total(), 1)


def _is_counted(table: Table, column: str) -> bool:
    """Tell whether a column holds nothing but numbers, yes and no, which may mean anything."""
    cells = {row[column] for row in table.rows}
    return all(len(spelling(cell)) < 4 or is_yes(cell) is not None for cell in cells)


def _names_splits(table: Table, column: str) -> bool:
    """Tell whether a column called split, or most cells of another that may be one, name splits."""
    known = sum(bool(split_of(row[column])) for row in table.rows) if column else 0
    return spelling(column) == "split" or known * 2 > len(table.rows)


def _letters_of_sexes(table: Table, column: str) -> dict[str, str]:
    """Return what the letters of a column of sexes mean where another letter beside them changes it.

    Beside an H for hombre, an M is mujer. M and V are mujer and varón, or man and vrouw, as the header's language says.
    """
    found = {row[column].strip().upper() for row in table.rows} if column else set()
    if "F" in found or "M" not in found:
        return {}
    if "H" in found:
        return {"M": "F"}
    header = spelling(column)
    if "V" not in found or "geslacht" in header:
        return {"V": "F"} if "V" in found else {}
    is_spanish = any(word in header for word in ("sexo", "género", "genero"))
    return {"M": "F", "V": "M"} if is_spanish else {"M": "M beside V"}


def patient_facts(row: Row, per_year: float = 1.0) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    """Return age in years, sex and view position, each empty where it is not known, and what could not be read.

    Args:
        row: The cells under "age", "sex" and "view".
        per_year: How many of the unit that an age without one counts make a year.
    """
    age, sex, view = (row.get(field, "").strip() for field in ("age", "sex", "view"))
    return _read_facts(age, sex, view, per_year)


@lru_cache(maxsize=4096)  # a large table repeats them
def _read_facts(age: str, sex: str, view: str, per_year: float) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    years, known = parse_age(age, per_year), parse_sex(sex)
    unread = [("unreadable age", age)] if years is None and not is_gap(age) else []
    unread += [("unreadable sex", sex)] if not known and not is_gap(sex) else []
    unread += [("unreadable view", view)] if is_no_view(view) and not is_gap(view) else []
    seen = LATERAL if view.upper() == "L" else view_of(view)  # in a DICOM header, L may be a side
    seen = seen or ("" if is_gap(view) else view.upper())
    return write_age(years), known, seen, tuple(unread)
