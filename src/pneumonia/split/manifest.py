"""The split manifest: one row per image that may be used, with its split."""

from collections import Counter
from itertools import groupby
from operator import itemgetter

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.attributes import ATTRIBUTES
from pneumonia.images.duplicates import REPORTED
from pneumonia.images.grouping import link_groups, split_key
from pneumonia.images.sites import SITE
from pneumonia.images.status import DUPLICATE, OK
from pneumonia.split.choose import Groups, choose_groups

MANIFEST_COLUMNS = (
    "path", "label", "target", "etiology", "group", "split", "source_split", "sha256", "bytes", "width", "height",
    "mode",
)  # fmt: skip
# Only if a file has 16 bits or is DICOM: how its values become grey levels, as `pneumonia.images.depth` says.
BITS = "bits"


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
    """Refuse what no split can give: a class without images, or a published test of one class."""
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
                f"The published test has no usable image of class {name}. Add some, or take the test folder away: "
                "a test is then made (ingest.test_fraction)."
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
