"""Tables as people save them: any usual encoding and separator, headers in any spelling."""

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pneumonia.base.errors import UserError
from pneumonia.base.text import fold, name_some
from pneumonia.images.members import IMAGE_SUFFIXES

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".parquet", ".feather", ".csv.gz", ".tsv.gz")
# Tables that are read under a name that was set, but are not looked for.
OTHER_SUFFIXES = (".txt", ".json", *SPREADSHEETS)

_SEPARATORS = ",;\t|"
# Rows that the separator is judged by, and how many rows a title above the header may have.
_SAMPLE, _MOST_TITLE_ROWS = 50, 20
# Encodings that are tried after Unicode, in this order: the first in which most paths fit the files is right.
_NATIONAL = (
    "cp1252", "gb18030", "shift_jis", "big5", "cp949", "cp1251", "cp1250", "cp1253", "cp1254", "cp437", "mac_roman"
)  # fmt: skip
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")
# What DOS writes at the end of a file, and letters without a width, which pages have in texts that are copied.
_END_OF_FILE = "\x1a\0"
_WIDTHLESS = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
# How spreadsheets are told that a number is a text; programs also put one between apostrophes.
_AS_TEXT = re.compile(r"""="(.*)"|'(.*?)'?""")
_WHOLE_ROW = re.compile(r'"([^"]*)"\s*')
# How files begin that hold a table in another form.
_FORMS = {
    b"PK\x03\x04": "a spreadsheet", b"\xd0\xcf\x11\xe0": "a spreadsheet", b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file",
}  # fmt: skip
# Behind the last row: a cell that a quotation mark opens, and none closes, has it at its end.
_END = "\x1f"


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        columns: The names of the columns as written, without blanks around them.
        rows: The cells of each row, by column, without blanks around them; "" where a row is too short.
        lines: The line of each row in the file.
        is_headless: Whether it has no header.
        overfull: The lines of rows with more cells than the header, where nothing says which cell is which.
        short: The lines of rows with fewer cells than the header, if most rows have all.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    is_headless: bool = False
    overfull: frozenset[int] = frozenset()
    short: frozenset[int] = frozenset()


def read_table(content: bytes, name: str) -> Table:
    """Read a table in the likeliest encoding.

    Raises:
        UserError: If it is none.
    """
    return next(read_variants(content, name))


def read_variants(content: bytes, name: str) -> Iterator[Table]:
    """Read a table in each encoding that it may have, the likeliest first; in Unicode there is only one.

    Raises:
        UserError: If it is no table of text.
    """
    form = next((form for start, form in _FORMS.items() if content.startswith(start)), "")
    read = 0
    for text in () if form else _decode(content):
        if text.lstrip().startswith("<"):
            form = "a page of HTML or XML"
            break
        try:
            table = _parse_records(text) if text.startswith(("[", "{")) else _parse(text, name)
        except (csv.Error, ValueError, RecursionError) as error:
            raise UserError(f"{name} is not a CSV table, nor a list of records in JSON ({error}).") from error
        read += 1
        yield table
    if form:
        raise UserError(f"{name} is {form}. Save it as CSV (in Excel: Save as, CSV UTF-8) and name that file.")
    if not read:
        raise UserError(f"{name} is not a CSV table in UTF-8, UTF-16 or another encoding of text.")


def find_named(table: Table, name: str, wanted: Sequence[str]) -> list[str]:
    """Return the columns of these names in a table, whatever their case and signs.

    Raises:
        UserError: If there are not all, naming those that there are.
    """
    named = {spelling(column): column for column in table.columns}
    if not set(wanted) <= set(named):
        all_but_last = ", ".join(wanted[:-1])
        listed = f"columns {all_but_last} and {wanted[-1]}" if all_but_last else f"column {wanted[-1]}"
        raise UserError(f"{name} needs the {listed}; it has {name_some(table.columns)}.")
    return [named[one] for one in wanted]


def spelling(name: str) -> str:
    """Return a header, or another word, without what people write differently: case, blanks and signs.

    >>> spelling(" Patient's Age (Years)"), spelling("patient_age"), spelling("Größe")
    ('patientsageyears', 'patientage', 'grösse')
    """
    composed = fold(unicodedata.normalize("NFKC", name))
    return "".join(letter for letter in composed if letter.isalnum())


def _decode(content: bytes) -> Iterator[str]:
    """Give the text in every encoding that is possible."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        names: Sequence[str] = ("utf-16",)
    elif content[:200].count(0) * 3 > len(content[:200]):
        names = ("utf-16-be", "utf-16-le") if content[0] == 0 else ("utf-16-le", "utf-16-be")
    else:
        names = ("utf-8-sig", *_NATIONAL)
    for name in names:
        try:
            text = content.decode(name).rstrip(_END_OF_FILE)
        except UnicodeDecodeError:
            continue
        if _BINARY.search(text):
            continue
        yield text
        if name.startswith("utf"):
            return


def _parse(text: str, name: str) -> Table:
    """Part a text into rows and cells."""
    declared = re.match(r'"?sep=(.)"?\r?\n', text, re.IGNORECASE)  # Excel's own first line
    body = text[declared.end() :] if declared else text
    separator = declared[1] if declared else _find_separator(body)
    read = list(_read_cells(body, separator, len(text) - len(body) > 0, name))
    sample = [len([cell for cell in cells if cell]) for _, cells in read[:_SAMPLE]]
    least = max(2, max(sample, default=0) / 2)  # a title above the header fills one cell of many
    start = next((row for row, filled in enumerate(sample[:_MOST_TITLE_ROWS]) if filled >= least), 0)
    columns = _name_columns(read[start][1]) if read else ()
    is_headless = any(cell.lower().endswith(tuple(IMAGE_SUFFIXES)) for cell in columns)
    if is_headless:
        columns, start = tuple(f"column {number + 1}" for number in range(len(columns))), start - 1
    body_rows = read[start + 1 :]
    if _have_an_index([cells for _, cells in body_rows], columns):
        columns = ("", *columns)
    empty = dict.fromkeys((column for column in columns if column), "")
    rows = [
        {**empty, **{key: cell for key, cell in zip(columns, cells, strict=False) if key}} for _, cells in body_rows
    ]
    named = _filled(columns)
    overfull = frozenset(line for line, cells in body_rows if len(cells) > len(columns) and _filled(cells) > named)
    short = frozenset(line for line, cells in body_rows if len(cells) < named)
    short = short if len(short) * 2 < len(rows) else frozenset()
    return Table(tuple(empty), tuple(rows), tuple(line for line, _ in body_rows), is_headless, overfull, short)


def _have_an_index(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> bool:
    """Tell whether each row begins with a name of its own, which has no header, as R writes it."""
    first = {cells[0] for cells in rows if len(cells) == len(columns) + 1 and cells[-1]}
    return len(first) == len(rows) > 1


def _filled(cells: Sequence[str]) -> int:
    """Return the number of cells up to the last that is not empty."""
    return max((at for at, cell in enumerate(cells, 1) if cell), default=0)


def _parse_records(text: str) -> Table:
    """Read JSON: a list of records, or one a line.

    Raises:
        ValueError: If it is something else.
    """
    records = json.loads(text) if text[0] == "[" else [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        raise ValueError("something else than records is in it")
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    cells = [{name: "" if value is None else str(value) for name, value in record.items()} for record in records]
    rows = tuple({**dict.fromkeys(columns, ""), **row} for row in cells)
    return Table(columns, rows, tuple(range(1, len(rows) + 1)))


def _read_cells(text: str, separator: str, has_first_line: bool, name: str) -> Iterator[tuple[int, list[str]]]:
    """Give the line and the cells of each row that has any.

    Raises:
        UserError: If a quotation mark opens a cell and none closes it, so that the rows behind it would be its text.
    """
    reader = csv.reader(io.StringIO(f"{text}\n{_END}", newline=""), delimiter=separator, skipinitialspace=True)
    line = 1 + has_first_line
    for cells in reader:
        if cells and cells[-1].endswith(_END):
            if cells == [_END]:
                return
            raise UserError(
                f"{name}, line {line}: a quotation mark opens a cell, and none closes it. Close it, or take it away."
            )
        line = reader.line_num + has_first_line + 1
        stripped = [_bare(cell) for cell in cells]
        if len(stripped) == 1 and separator in stripped[0] and "\n" not in cells[0]:  # a whole row in quotes
            stripped = [_bare(cell) for cell in next(csv.reader(stripped, delimiter=separator))]
        if any(stripped):
            yield reader.line_num + has_first_line, stripped


def _bare(cell: str) -> str:
    """Return a cell without what is around its value: blanks, letters without a width, marks of a text."""
    text = _WIDTHLESS.sub("", cell).strip()
    as_text = _AS_TEXT.fullmatch(text)
    return (as_text[1] or as_text[2] or "") if as_text else text


def _find_separator(text: str) -> str:
    """Return the separator by which most of the first rows have the same number of cells."""
    sample = text[:100_000].splitlines()[:_SAMPLE]
    lines = [whole[1] if (whole := _WHOLE_ROW.fullmatch(line)) else line for line in sample]

    def judge(separator: str) -> tuple[float, int]:
        counts = Counter(len(cells) for cells in csv.reader(lines, delimiter=separator) if cells)
        width, rows = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return (rows / counts.total() if width > 1 else 0.0, width)

    best = max(_SEPARATORS, key=judge)
    return best if judge(best)[0] >= judge(" ")[0] or judge(best)[1] > 1 else " "


def _name_columns(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns, each once."""
    seen: Counter[str] = Counter()
    names = []
    for cell in cells:
        seen[cell] += 1
        names.append(f"{cell} ({seen[cell]})" if cell and seen[cell] > 1 else cell)
    return tuple(names)
