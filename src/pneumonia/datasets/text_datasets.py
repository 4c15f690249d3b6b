"""Tables, records and texts: what a person can read in the file, saved whole with a checksum beside it."""

import io
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets._typing import HTMLPreview
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from kedro_datasets.text import TextDataset as _TextDataset
from pandas.api.types import is_object_dtype, is_string_dtype

from pneumonia.base.errors import UserError
from pneumonia.base.files import read_as_written, read_record, write_with_checksum
from pneumonia.base.text import FORMULA_STARTS
from pneumonia.datasets.file_datasets import Kept
from pneumonia.runs.errors import plainly

# Columns whose values are text whatever they look like: a group may be called 447, a class 0 or NA.
TEXT_COLUMNS = (
    "path", "path_a", "path_b", "group", "group_a", "group_b", "label", "label_a", "label_b", "etiology", "split",
    "source_split", "split_by", "sides", "sha256", "perceptual_hash", "mode", "status", "kind", "reason", "note",
    "part", "rule", "step", "treatment", "unit", "age", "sex", "view", "device", "in_range", "model_version", "recipe",
    "site",
)  # fmt: skip
# kedro-viz reads _a_ as emphasis, even in preformatted text; this character looks the same.
LOW_LINE = "\N{MODIFIER LETTER LOW MACRON}"
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
# kedro-viz leaves out the style sheet that drawings need, and would show line breaks between tags.
UNSHOWN = re.compile(r"<svg.*?</svg>|(?<=>)\s*(?=<)", re.DOTALL)


class TableDataset(Kept, CSVDataset):
    """Saves a table whole or not at all, and detects on load whether the file was changed or truncated since.

    Text that a spreadsheet would take for a formula (users choose file and group names) is written with a ``'`` before
    it, and loaded without.

    The checksum is in ``<file>.sha256``, as ``sha256sum --check`` reads it. Text is text: ``None`` and ``NA`` in a
    column are not turned into gaps, and ``007`` in one of `TEXT_COLUMNS` is no number; ``dtype`` in ``load_args`` names
    further ones. An empty cell is empty text in a text column, and a gap in any other. Local files only.

    Example:
    ```yaml
    split_manifest:
      type: pneumonia.datasets.TableDataset
      filepath: data/03_primary/split_manifest.csv
      versioned: true
    ```
    """

    DEFAULT_LOAD_ARGS: dict[str, Any] = {"keep_default_na": False}  # noqa: RUF012 - as in the parent class
    DEFAULT_SAVE_ARGS: dict[str, Any] = {"index": False, "lineterminator": "\n"}  # noqa: RUF012

    @plainly
    def save(self, data: pd.DataFrame) -> None:
        """Save the checksum, then the table: a table without its checksum is never the newest version."""
        content = _as_text(data).to_csv(**self._save_args).encode()
        write_with_checksum(Path(self._get_save_path()), content)

    @plainly
    def load(self) -> pd.DataFrame:
        """Load the table.

        Raises:
            UserError: If the checksum is missing or is not that of the file.
        """
        content = io.BytesIO(read_as_written(Path(self._get_load_path()), needs_checksum=True))
        dtype = {**dict.fromkeys(TEXT_COLUMNS, "str"), **self._load_args.get("dtype", {})}
        gaps = {name: [""] for name in pd.read_csv(content, nrows=0).columns if dtype.get(name) != "str"}
        content.seek(0)
        return _as_written(pd.read_csv(content, **{"na_values": gaps, **self._load_args, "dtype": dtype}))


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Put ``'`` before each text that begins as a formula does, or with ``'`` itself, which makes it unambiguous."""
    changed = {}
    for name, column in table.items():
        if is_string_dtype(column) or is_object_dtype(column):
            is_formula = column.map(lambda cell: isinstance(cell, str) and cell.startswith(FORMULA_STARTS)).astype(bool)
            if is_formula.any():
                changed[name] = column.mask(is_formula, "'" + column.astype(str))
    return table.assign(**changed) if changed else table


def _as_written(table: pd.DataFrame) -> pd.DataFrame:
    """Take away what `_as_text` added."""
    changed = {}
    for name, column in table.items():
        if is_string_dtype(column) and column.str.startswith("'").any():
            is_marked = column.str.startswith(tuple(f"'{start}" for start in FORMULA_STARTS)).fillna(False).astype(bool)
            changed[name] = column.mask(is_marked, column.str[1:])
    return table.assign(**changed) if changed else table


class RecordDataset(Kept, JSONDataset):
    """Saves JSON whole or not at all, with its checksum, and refuses NaN and infinity, which JSON does not have.

    NumPy numbers and arrays are written as numbers and lists. Loading detects whether the file was changed; a record of
    an older release, which has no checksum, is loaded with a warning. Local files only.

    Example:
    ```yaml
    metrics:
      type: pneumonia.datasets.RecordDataset
      filepath: data/08_reporting/metrics.json
      versioned: true
    ```
    """

    DEFAULT_SAVE_ARGS: dict[str, Any] = {"indent": 2, "allow_nan": False}  # noqa: RUF012 - as in the parent

    @plainly
    def save(self, data: Any) -> None:
        """Save the record."""
        content = json.dumps(data, default=_plain, **self._save_args) + "\n"
        write_with_checksum(Path(self._get_save_path()), content.encode())

    @plainly
    def load(self) -> Any:
        """Load the record.

        Raises:
            UserError: If the file is incomplete, or has changed since it was written.
        """
        return read_record(Path(self._get_load_path()))


def _plain(value: Any) -> Any:
    """Return what JSON can hold in place of a NumPy value or a parameter group."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")


class TextDataset(Kept, _TextDataset):
    """Saves text whole or not at all, with its checksum. Local files only.

    Example:
    ```yaml
    model_card:
      type: pneumonia.datasets.TextDataset
      filepath: data/08_reporting/model_card.md
      versioned: true
    ```
    """

    @plainly
    def save(self, data: str) -> None:
        """Save the text as UTF-8."""
        write_with_checksum(Path(self._get_save_path()), data.encode())

    @plainly
    def load(self) -> str:
        """Load the text.

        Raises:
            UserError: If the file has changed since it was written, or is no text.
        """
        path = Path(self._get_load_path())
        try:
            return read_as_written(path).decode()
        except UnicodeError as error:
            raise UserError(f"{path} is damaged ({error}). Remove it and run the pipeline that makes it.") from error

    def preview(self) -> HTMLPreview:
        """Return the text for kedro-viz, which renders Markdown."""
        text = escape(self.load(), quote=False).replace("_", LOW_LINE)
        if self._filepath.suffix == ".md":
            return HTMLPreview(FRONT_MATTER.sub("", text))
        return HTMLPreview(f"<pre>{text}</pre>")


class HtmlDataset(TextDataset):
    """A self-contained HTML page.

    Example:
    ```yaml
    report:
      type: pneumonia.datasets.HtmlDataset
      filepath: data/08_reporting/report.html
      versioned: true
    ```
    """

    def preview(self) -> HTMLPreview:
        """Return the page for kedro-viz, which shows it without its style sheet."""
        return HTMLPreview(UNSHOWN.sub(" ", self.load()))
