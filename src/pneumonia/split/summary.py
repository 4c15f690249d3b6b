"""What a person sees of a split: its shares, its figure, and where every file went."""

from collections.abc import Sequence, Set
from itertools import product
from typing import Any

import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.base.text import Labelled
from pneumonia.images.account import count_notes, count_reasons
from pneumonia.images.duplicates import ONE_GROUP
from pneumonia.images.examine import BLANK
from pneumonia.images.grouping import GROUPS_FILE, NO_ETIOLOGY, UNKNOWN_ETIOLOGY, group_of
from pneumonia.images.layout import SPLITS, Listing
from pneumonia.images.sites import SITE
from pneumonia.images.source import ImageSource
from pneumonia.images.status import DUPLICATE, LEFT_OUT, OK, OTHER, REJECTED

ALL = "all"
GIVEN = "as given"
# How many reasons for which files are not used are counted apart.
MOST_REASONS = 10

TABLE_COLUMNS = (
    "split", "label", "etiology", "images", "groups", "of_images", "share", "demanded", "points_off", "rule",
)  # fmt: skip


class FlowStep(Labelled):
    """A step of the account of all files."""

    FOUND = "found", "image files found"
    FOUND_IN = "found_in", "found in"
    USABLE = "usable", "usable"
    DUPLICATE = "duplicate", "duplicate"
    REJECTED = "rejected", "rejected"
    OTHER_OBJECT = "other_object", "other objects"
    OF_THESE = "of_these", "of these"
    UNLABELLED = "unlabelled", "left out by the table of labels"
    SUM = "sum", "usable + duplicate + rejected + other + left out"
    TEST_GROUP = "test_group", "left out: group is in test"
    BLANK = "blank", "blank"
    NOTED = "noted", "used, and noted"
    UNGROUPED = "ungrouped", "without a group"
    PATIENT = "patient", "patient named by a table or a DICOM header"
    NEAR_DUPLICATES = "near_duplicates", "near-duplicate pairs"
    PART = "part", "in the manifest"
    USED = "used", "in the manifest, together"
    JUNK = "junk", "archive junk"
    SIDE_FILES = "side_files", "side files"
    OTHERS = "others", "other files"


def tabulate_split(split_manifest: pd.DataFrame, parameters: IngestParameters) -> pd.DataFrame:
    """Set the share of every split, class and etiology against the demanded one.

    Returns:
        The columns `TABLE_COLUMNS`. `share` and `demanded` are fractions of `of_images`: for train and val the images
        of both, for test all images. `points_off` is their difference in percentage points. A test that the
        source names is what it is: its demanded share is its share.
    """
    strata = [(ALL, ALL), *((label, ALL) for label in parameters.class_names)]
    pairs = split_manifest[["target", "label", "etiology"]].drop_duplicates().sort_values(["target", "etiology"])
    # A class without any known etiology has no strata: they would repeat the class.
    known = pairs.groupby("label")["etiology"].transform(
        lambda names: set(names) - {NO_ETIOLOGY, UNKNOWN_ETIOLOGY} != set()
    )
    strata += [(row.label, row.etiology) for row in pairs[known].itertuples() if row.etiology != NO_ETIOLOGY]
    rows: list[dict[str, Any]] = []
    naming = set(_sites_of(split_manifest)[split_manifest["source_split"] == "test"])
    for label, etiology in strata:
        images = split_manifest[split_manifest["label"].isin([label]) | (label == ALL)]
        images = images[images["etiology"].isin([etiology]) | (etiology == ALL)]
        rows.extend(_shares(images, label, etiology, naming, parameters))
    table = pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
    order = table["split"].map(SPLITS.index)
    return table.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def _shares(
    images: pd.DataFrame, label: str, etiology: str, naming: Set[str], parameters: IngestParameters
) -> list[dict[str, Any]]:
    """Return the rows of one stratum; `naming` are the sites that name a test."""
    rows = []
    demands = {"train": 1 - parameters.val_fraction, "val": parameters.val_fraction, "test": parameters.test_fraction}
    for split, demand in demands.items():
        part = images[images["split"] == split]
        base = images if split == "test" else images[images["split"] != "test"]
        share = len(part) / max(len(base), 1)
        demanded, rule = demand, f"{100 * demand:.6g}% of {'all' if split == 'test' else 'train + val'}"
        if split == "test":
            demanded, rule = _demand_test(images, naming, demand, rule)
        values = (split, label, etiology, len(part), part["group"].nunique(), len(base), round(share, 4))
        rest = (round(demanded, 4), round(100 * (share - demanded), 2) + 0.0, rule)
        rows.append(dict(zip(TABLE_COLUMNS, (*values, *rest), strict=True)))
    return rows


def _demand_test(images: pd.DataFrame, naming: Set[str], demand: float, rule: str) -> tuple[float, str]:
    """Return the demanded share of test, and its rule: what the source names test, and a share of sites that do not."""
    given, elsewhere = images["source_split"] == "test", ~_sites_of(images).isin(naming)
    if elsewhere.all():
        return demand, rule
    demanded = float((given.sum() + demand * elsewhere.sum()) / len(images))
    return demanded, f"{GIVEN}, elsewhere {rule}" if elsewhere.any() else GIVEN


def _sites_of(images: pd.DataFrame) -> pd.Series:
    """Return the site of each image; the same for all where there is one source."""
    return images.get(SITE, pd.Series("", images.index))


def count_data_flow(
    chest_xrays: ImageSource,
    image_index: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    split_manifest: pd.DataFrame,
    parameters: IngestParameters,
) -> pd.DataFrame:
    """Account for every file that was found, from the source to the splits.

    Args:
        chest_xrays: The source.
        image_index: One row per image file.
        near_duplicates: Pairs of images that resemble each other.
        split_manifest: One row per image that is used.
        parameters: The patterns of file names that give groups.

    Returns:
        Columns step (a `FlowStep`), part (which split, class or kind of junk), images (or files, or pairs, as the step
        says) and note. The fates of the files found add up to them; what the manifest holds and what was left out of
        it add up to the usable ones.

    Raises:
        UserError: If the files at the source have changed since they were indexed.
    """
    index, manifest, listing = image_index, split_manifest, _indexed_listing(chest_xrays, image_index)
    fates = {name: int((index["status"] == name).sum()) for name in (OK, DUPLICATE, REJECTED, OTHER, LEFT_OUT)}
    usable, found_in = index[index["status"] == OK], index["source_split"].value_counts().sort_index()
    alone = int((usable["group"] == usable["path"]).sum())
    patients = _count_patients(usable, listing, parameters.group_patterns)
    linked = int((near_duplicates["treatment"] == ONE_GROUP).sum())
    steps: list[tuple[FlowStep, str, int, str]] = [
        (FlowStep.FOUND, "", len(listing.files), "archive junk not among them"),
        *((FlowStep.FOUND_IN, str(name), count, "") for name, count in found_in.items()),
        (FlowStep.USABLE, "", fates[OK], ""),
        (FlowStep.DUPLICATE, "", fates[DUPLICATE], "surplus copies, byte for byte"),
        (FlowStep.REJECTED, "", fates[REJECTED], "each with its reason in the list"),
        *_count_by_reason(index, REJECTED),
        (FlowStep.OTHER_OBJECT, "", fates[OTHER], "sound files that are no frontal chest radiographs"),
        *_count_by_reason(index, OTHER),
        (FlowStep.UNLABELLED, "", fates[LEFT_OUT], "each with its reason in the list of label problems"),
        (FlowStep.SUM, "", sum(fates.values()), "must be the image files found"),
        (FlowStep.TEST_GROUP, "", len(usable) - len(manifest), ""),
        *_count_unusual(index),
        (FlowStep.UNGROUPED, "", alone, "each is its own group: no group could be read" if alone else ""),
        (FlowStep.PATIENT, "", patients, "grouped by it" if patients else ""),
        (FlowStep.NEAR_DUPLICATES, "", len(near_duplicates), f"{linked} put in one group, the others only reported"),
    ]
    for split, label in product(SPLITS, sorted(manifest["label"].unique())):
        part = manifest[(manifest["split"] == split) & (manifest["label"] == label)]
        steps.append((FlowStep.PART, f"{split}: {label}", len(part), f"{part['group'].nunique():,} groups"))
    steps += [
        (FlowStep.USED, "", len(manifest), f"{manifest['group'].nunique():,} groups"),
        *((FlowStep.JUNK, kind, count, "counted, not read") for kind, count in listing.junk.items()),
        (FlowStep.SIDE_FILES, "", len(listing.side_files), ", ".join(sorted(listing.side_files))),
        (FlowStep.OTHERS, "", len(listing.others), "no images, by their names or places"),
    ]
    return pd.DataFrame(steps, columns=["step", "part", "images", "note"])


def _count_by_reason(index: pd.DataFrame, status: str) -> list[tuple[FlowStep, str, int, str]]:
    """Count the files of a status by their most frequent reasons."""
    counts = list(count_reasons(index, status).items())
    return [(FlowStep.OF_THESE, reason, count, "") for reason, count in counts[:MOST_REASONS]]


def _count_unusual(index: pd.DataFrame) -> list[tuple[FlowStep, str, int, str]]:
    """Count the images that are used and noted."""
    notes = count_notes(index)
    blank = notes.pop(BLANK, 0)
    return [
        (FlowStep.BLANK, "", blank, "of one grey level, and used all the same: look at them" if blank else ""),
        *((FlowStep.NOTED, note, count, "") for note, count in notes.items()),
    ]


def _indexed_listing(source: ImageSource, index: pd.DataFrame) -> Listing:
    listing = source.listing
    if len(listing.files) != len(index):
        raise UserError(
            f"{len(listing.files):,} image files are at {source.address}, but {len(index):,} were indexed: "
            "files were added or removed in the meantime. Run again: kedro run --pipelines=ingest."
        )
    return listing


def _count_patients(usable: pd.DataFrame, listing: Listing, patterns: Sequence[str]) -> int:
    """Count the images whose group is neither that of their name nor their own path, nor from a file of groups."""
    if GROUPS_FILE in listing.side_files:
        return 0
    named = [group_of(path, patterns, None) for path in usable["path"]]
    of_site = [f"{path.partition('/')[0]}/{group}" for path, group in zip(usable["path"], named, strict=True)]
    rows = zip(usable["path"], usable["group"], named, of_site, strict=True)
    return sum(group not in (path, *known) for path, group, *known in rows)


def count_classes(split_manifest: pd.DataFrame) -> pd.DataFrame:
    """Count images and groups of each class in each split.

    Args:
        split_manifest: One row per image, with split, label, target, group and, if there are several, site.

    Returns:
        Columns split, label, target, images, groups and share (of the split's images), by split and target; with
        several sites a row for each, and the column site.
    """
    sites = [SITE] if SITE in split_manifest else []
    counts = (
        split_manifest.groupby(["split", "label", "target", *sites])
        .agg(images=("group", "size"), groups=("group", "nunique"))
        .reset_index()
    )
    counts["share"] = (counts["images"] / counts.groupby("split")["images"].transform("sum")).round(4)
    counts["split"] = pd.Categorical(counts["split"], SPLITS, ordered=True)
    return counts.sort_values(["split", "target", *sites], ignore_index=True).astype({"split": str})
