"""A table as CSV with a checksum beside it."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset
from pandas.api.types import is_object_dtype, is_string_dtype

from pneumonia.base.files import read_as_written, write_with_checksum
from pneumonia.base.formulas import FORMULA_STARTS
from pneumonia.datasets.kept import Kept
from pneumonia.runs.errors import plainly

# Columns whose values are text whatever they look like: a group may be called 447, a class 0 or NA.
TEXT_COLUMNS = (
    "path", "path_a", "path_b", "group", "group_a", "group_b", "label", "label_a", "label_b", "etiology", "split",
    "source_split", "split_by", "sides", "sha256", "perceptual_hash", "mode", "status", "kind", "reason", "note",
    "part", "rule", "step", "treatment", "unit", "age", "sex", "view", "device", "in_range", "model_version", "recipe",
    "site",
)  # fmt: skip


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
