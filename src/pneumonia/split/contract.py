"""What every reader of the split manifest may rely on, checked whenever it is saved or loaded."""

from collections.abc import Iterator

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.images.attributes import ATTRIBUTES
from pneumonia.images.grouping import ETIOLOGIES, NO_ETIOLOGY, UNKNOWN_ETIOLOGY
from pneumonia.images.layout import SPLITS, UNSPLIT
from pneumonia.images.sites import SITE
from pneumonia.split.manifest import BITS, MANIFEST_COLUMNS

_NUMBERS = ("target", "bytes", "width", "height", BITS)
_SHOWN = 5


class ManifestError(UserError):
    """A split manifest that must not be used."""


class ManifestContract:
    """Refuses a manifest that breaks what a trustworthy split needs.

    It has exactly the columns of `pneumonia.split.manifest`, the site if there are several and what is known of the
    patients, text as text and whole numbers as such; only the last may have gaps. A path and a hash occur once; no
    group is in two splits; every split has both classes; target, label and etiology agree.

    Example:
    ```yaml
    split_manifest:
      type: pneumonia.datasets.TableDataset
      filepath: data/03_primary/split_manifest.csv
      validator: pneumonia.split.contract.ManifestContract
    ```
    """

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return the manifest as it is.

        Raises:
            ManifestError: Saying what is wrong, with examples.
        """
        for check in (_check_types, _check_values, _check_splits):
            for problem in check(data):
                raise ManifestError(
                    f"The split manifest breaks its contract: {problem}. Nothing may be trained or scored on it; "
                    "make it again: kedro run --pipelines=ingest."
                )
        return data


def _check_types(data: pd.DataFrame) -> Iterator[str]:
    """Columns, their types, gaps."""
    if not isinstance(data, pd.DataFrame):
        yield f"it is a {type(data).__name__}, not a table"
    columns = [*MANIFEST_COLUMNS, *(name for name in (BITS, SITE, *ATTRIBUTES) if name in data)]
    if list(data.columns) != columns:
        yield f"its columns are {list(data.columns)}, not {columns}"
    for name in columns:
        column = data[name]
        if column.isna().any() or ((column == "").any() and name not in ATTRIBUTES):
            yield f"{name} has gaps, first in row {int((column.isna() | (column == '')).argmax())}"
        if name in _NUMBERS and not pd.api.types.is_integer_dtype(column):
            yield f"{name} is of type {column.dtype}, not of whole numbers"
        if name not in _NUMBERS and not column.map(lambda value: isinstance(value, str)).all():
            yield f"{name} is of type {column.dtype}, not text alone"


def _check_values(data: pd.DataFrame) -> Iterator[str]:
    """What each column may hold."""
    known = {
        "split": SPLITS,
        "source_split": (*SPLITS, UNSPLIT),
        "etiology": (*ETIOLOGIES, NO_ETIOLOGY, UNKNOWN_ETIOLOGY),
        "target": (0, 1),
    }
    for name, values in known.items():
        yield from _examples(f"{name} is none of {values}", data, ~data[name].isin(values), name)
    for name in ("bytes", "width", "height"):
        yield from _examples(f"{name} is not positive", data, data[name] <= 0, name)
    yield from _examples("sha256 is no SHA-256", data, ~data["sha256"].str.fullmatch("[0-9a-f]{64}"), "sha256")
    yield from _examples("a path occurs twice", data, data["path"].duplicated(), "path")
    yield from _examples("the same bytes occur twice", data, data["sha256"].duplicated(), "path")
    pairs = data[["label", "target"]].drop_duplicates()
    if sorted(pairs["target"]) != [0, 1] or pairs["label"].nunique() != 2:
        yield f"label and target are not one to one: {pairs.to_dict('split')['data']}"
    contradicts = (data["etiology"] == NO_ETIOLOGY) != (data["target"] == 0)
    yield from _examples("the etiology contradicts the target", data, contradicts, "path")


def _check_splits(data: pd.DataFrame) -> Iterator[str]:
    """What makes a split one that scores can be trusted on."""
    splits_of = data.groupby("group")["split"].transform("nunique")
    yield from _examples("a group is in two splits", data, splits_of > 1, "group")
    for split in SPLITS:
        targets = set(data.loc[data["split"] == split, "target"])
        if targets != {0, 1}:
            yield f"{split} has images of {len(targets)} of the 2 classes"


def _examples(what: str, data: pd.DataFrame, is_wrong: pd.Series, column: str) -> Iterator[str]:
    """Put a problem in words, if there is one."""
    if is_wrong.any():
        values = list(dict.fromkeys(data.loc[is_wrong, column].astype(str)))[:_SHOWN]
        yield f"{what} ({int(is_wrong.sum())} rows, such as {', '.join(values)})"
