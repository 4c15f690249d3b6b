"""The split manifest: one row per image that may be used, with its split, and what every reader of it may rely on."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.attributes import ATTRIBUTES
from pneumonia.images.duplicates import REPORTED
from pneumonia.images.grouping import ETIOLOGIES, NO_ETIOLOGY, UNKNOWN_ETIOLOGY, link_groups, split_key
from pneumonia.images.layout import SPLITS, UNSPLIT
from pneumonia.images.sites import SITE
from pneumonia.images.status import DUPLICATE, OK
from pneumonia.split.choose import Groups, choose_groups

MANIFEST_COLUMNS = (
    "path", "label", "target", "etiology", "group", "split", "source_split", "sha256", "bytes", "width", "height",
    "mode",
)  # fmt: skip
# Only if a file has 16 bits or is DICOM: how its values become grey levels, as `pneumonia.images.depth` says.
BITS = "bits"

_NUMBERS = ("target", "bytes", "width", "height", BITS)
_SHOWN = 5


def make_manifest(index: pd.DataFrame, near_duplicates: pd.DataFrame, parameters: IngestParameters) -> pd.DataFrame:
    """Split the usable images into train, val and test, whole groups at a time.

    The published test stays as it is; images of other folders whose group is in it are left out, and so is every group
    that shares an image with one of test, byte for byte or nearly, along chains of such groups. Without a published
    test, `test_fraction` of all images becomes one; so it does of each site without a published test, where images
    come from several. `val_fraction` of the rest is val. All shares are those of every site, class and etiology.

    Args:
        index: The image index, in any order.
        near_duplicates: Pairs of images; their groups are joined, unless they are "only reported".
        parameters: `group_by`, fractions, seed and classes.

    Returns:
        `MANIFEST_COLUMNS`, by path; `bits`, if that is not 0 for every image, the site if there are several, and
        each of `ATTRIBUTES` that is known of some image.
        `group` is what was kept together.

    Raises:
        UserError: If a class is absent, or cannot be split as demanded.
    """
    rows = _with_split_keys(index, near_duplicates, parameters)
    _refuse_absent_class(rows, parameters)
    in_test = rows["source_split"] == "test"
    rows["split"] = in_test.map({True: "test", False: "train"})
    untested = ~rows[SITE].isin(rows.loc[in_test, SITE])
    if untested.any():
        groups = _count_strata(rows[untested])
        chosen = choose_groups(groups, parameters.test_fraction, parameters.seed, keep=2, part="test")
        rows.loc[rows["group"].isin(chosen), "split"] = "test"
    pool = _count_strata(rows[rows["split"] == "train"])
    chosen = choose_groups(pool, parameters.val_fraction, parameters.seed, keep=1, part="val")
    rows.loc[(rows["split"] == "train") & rows["group"].isin(chosen), "split"] = "val"
    rows["target"] = (rows["label"] == parameters.positive_class).astype("int64")
    told = {BITS: BITS in rows and rows[BITS].any(), SITE: len(set(rows[SITE])) > 1}
    told |= {name: name in rows and (rows[name] != "").any() for name in ATTRIBUTES}
    return rows[[*MANIFEST_COLUMNS, *(name for name, is_needed in told.items() if is_needed)]].reset_index(drop=True)


def _with_split_keys(index: pd.DataFrame, near_duplicates: pd.DataFrame, parameters: IngestParameters) -> pd.DataFrame:
    """Return the usable images by path, with what must stay together as their group, less those test excludes."""
    rows = index[index["status"].isin([OK, DUPLICATE])].sort_values("path", ignore_index=True)
    rows[SITE] = rows.get(SITE, "")  # an index of an earlier release has none
    rows["group"] = [
        split_key(path, group, parameters.group_by, parameters.group_patterns, site)
        for path, group, site in zip(rows["path"], rows["group"], rows[SITE], strict=True)
    ]
    if parameters.group_by != "image":
        rows = _link(rows, near_duplicates)
    in_test = rows["source_split"] == "test"
    rows = rows[in_test | ~rows["group"].isin(set(rows.loc[in_test, "group"]))]
    return rows[rows["status"] == OK].copy()


def _link(rows: pd.DataFrame, near_duplicates: pd.DataFrame) -> pd.DataFrame:
    """Join groups that share an image, byte for byte or nearly, in test as elsewhere."""
    group_of = dict(zip(rows["path"], rows["group"], strict=True))
    first = rows.groupby("sha256")["group"].transform("first")
    exact = list(zip(first, rows["group"], strict=True))
    linked = near_duplicates[near_duplicates["treatment"] != REPORTED]
    near = [
        (group_of[one], group_of[other])
        for one, other in zip(linked["path_a"], linked["path_b"], strict=True)
        if one in group_of and other in group_of
    ]
    joined = link_groups(rows["group"].unique(), [*exact, *near])
    return rows.assign(group=rows["group"].map(joined))


def _refuse_absent_class(rows: pd.DataFrame, parameters: IngestParameters) -> None:
    """Refuse what no split can give: a class without images, or a test of one class."""
    test = rows[rows["source_split"] == "test"]
    for name in parameters.class_names:
        if not (rows["label"] == name).any():
            raise UserError(
                f"There is no usable image of class {name}. Its folder must have that name, or else set "
                "ingest.class_names and ingest.positive_class in conf/local/parameters.yml. If it has, rejected_images "
                "in the catalog says why none is used."
            )
        if len(test) and not (test["label"] == name).any():
            raise UserError(
                f"The test that the source names has no usable image of class {name}. Add some, or take that test "
                "away: another one is then held out (ingest.test_fraction)."
            )
        if len(test) and not (rows.loc[rows["source_split"] != "test", "label"] == name).any():
            raise UserError(
                f"All usable images of class {name} are in test, or their groups are: there is none to train on. "
                "See ingest.group_by."
            )


def _count_strata(rows: pd.DataFrame) -> Groups:
    """Count the images of each class and etiology, by group; groups with the same counts share them."""
    groups: dict[str, Counter[tuple[str, str]]] = {}
    known: dict[frozenset[tuple[tuple[str, str], int]], Counter[tuple[str, str]]] = {}
    kinds = rows["etiology"] if len(set(rows[SITE])) < 2 else rows[SITE] + ": " + rows["etiology"]
    ordered = rows[["group", "label"]].assign(etiology=kinds).sort_values("group")
    for group, images in groupby(ordered.itertuples(index=False, name=None), key=itemgetter(0)):
        counts = Counter((label, etiology) for _, label, etiology in images)
        groups[group] = known.setdefault(frozenset(counts.items()), counts)
    return groups


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
      validator: pneumonia.split.manifest.ManifestContract
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
