"""What a run says about files that it does not use, and about unusual ones that it does."""

import logging
import math
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from pneumonia.base.errors import UserError, as_parameters
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.examine import BETWEEN_NOTES, BLANK
from pneumonia.images.grouping import PREFIX
from pneumonia.images.index import FAINT
from pneumonia.images.layout import NOT_IN_CLASS_FOLDER, SIDE_FILES
from pneumonia.images.source import ImageSource
from pneumonia.images.status import OK, OTHER
from pneumonia.images.tables import SPREADSHEETS, SUFFIXES
from pneumonia.images.words import class_folders, class_of_folder

logger = logging.getLogger(__name__)

# How many rejected files an error message lists; the table has them all.
_SHOWN = 20
# How many folders one lists.
_MOST_FOLDERS = 20
# A patient's ID on a larger share of the images, and on more than so many, is likely to stand for no patient.
_LARGE_SHARE, _MANY = 0.1, 10
# With more, no split is possible.
_MOST = 0.9


def count_notes(index: pd.DataFrame) -> dict[str, int]:
    """Count the usable images with each note, the most frequent first."""
    notes = index.loc[(index["status"] == OK) & (index["reason"] != ""), "reason"].str.split(BETWEEN_NOTES).explode()
    return {str(note): int(count) for note, count in notes.value_counts().items()}


def count_reasons(index: pd.DataFrame, status: str) -> dict[str, int]:
    """Count the files of a status by reason, the most frequent first."""
    reasons = index.loc[index["status"] == status, "reason"]
    return {str(reason): int(count) for reason, count in reasons.value_counts().items()}


def warn(index: pd.DataFrame) -> None:
    """Write to the log what is unusual: images without a group, notes, other objects, an ID on many images."""
    usable = index[index["status"] == OK]
    alone = int((usable["group"] == usable["path"]).sum())
    if alone:
        logger.warning(
            "NO GROUP could be read for %s of %s images: each is a group of its own. If patients have several images, "
            "they may be on both sides of the split. Set ingest.group_patterns, or put a groups.csv (path, group) "
            "beside the images.",
            f"{alone:,}",
            f"{len(usable):,}",
        )
    if others := count_reasons(index, OTHER):
        logger.warning("Other objects, left out: %s.", _say(others))
    if notes := count_notes(index):
        logger.warning("Used, with a note: %s.", _say(notes))
    count = _count_commonest(usable)
    if count > _MANY and count > _LARGE_SHARE * len(usable):
        logger.warning("%s %s", _say_commonest(count, len(usable)), _IGNORE)


def refuse_unusable(rejected: pd.DataFrame, index: pd.DataFrame, parameters: IngestParameters) -> None:
    """Stop a run with too many images that cannot be used or show nothing, or with one patient's ID on most of them.

    Raises:
        UserError: Saying what to do; for rejected files, with counts by reason and examples.
    """
    found, usable = int((index["status"] != OTHER).sum()), index[index["status"] == OK]
    if len(rejected) > parameters.max_rejected * found:
        raise UserError(
            f"{len(rejected):,} of {found:,} image files cannot be used, more than the share "
            f"{parameters.max_rejected:g} that ingest.max_rejected allows. Fix or remove them, or raise it"
            f"{_SPLITS_OF_ANOTHER_NAME if (rejected['reason'] == NOT_IN_CLASS_FOLDER).any() else ''}:\n"
            f"{_list_rejected(rejected)}"
        )
    faint = int(usable["reason"].str.contains(f"{FAINT}|{BLANK}").sum())
    if faint > parameters.max_faint * len(usable):
        raise UserError(
            f"{faint:,} of {len(usable):,} images use less than a tenth of the grey levels, more than the share "
            f"{parameters.max_faint:g} that ingest.max_faint allows: they would look all black or all white. Store "
            "them with the full range of their bits, or raise it."
        )
    count = _count_commonest(usable)
    if parameters.group_by != "image" and count > _MANY and count > _MOST * len(usable):
        raise UserError(f"{_say_commonest(count, len(usable))} {_IGNORE}")


def _list_rejected(rejected: pd.DataFrame) -> str:
    """Count the rejected files by reason, and name some of each."""
    lines = []
    shown = rejected.groupby("reason", sort=False).head(max(1, _SHOWN // rejected["reason"].nunique()))
    for reason, count in rejected["reason"].value_counts().items():
        paths = ", ".join(shown.loc[shown["reason"] == reason, "path"])
        lines.append(f"  {count:,}: {reason} ({paths}{'' if count == paths.count(', ') + 1 else ', ...'})")
    more = [f"  and {len(lines) - _SHOWN:,} more reasons"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more, "  All are listed in rejected_images in the catalog."])


_SPLITS_OF_ANOTHER_NAME = "; if their folders are splits, call these train, val and test"
_IGNORE = (
    "If it stands for no patient, such as ANONYMOUS, set ingest.patient_id=ignore in --params: groups then come from "
    "file names, or from a groups.csv or a table of labels."
)


def _count_commonest(usable: pd.DataFrame) -> int:
    """Count the images of the patient with the most, as the IDs in DICOM headers tell."""
    groups = usable.loc[usable["group"].str.startswith(PREFIX), "group"]
    return int(groups.value_counts().max()) if len(groups) else 0


def _say_commonest(count: int, images: int) -> str:
    return f"One patient's ID is in the DICOM headers of {count:,} of {images:,} images ({count / images:.0%})."


def _say(counts: dict[str, int]) -> str:
    shown = [f"{count:,} {what}" for what, count in list(counts.items())[:_SHOWN]]
    more = [f"{len(counts) - _SHOWN:,} others"] if len(counts) > _SHOWN else []
    return "; ".join([*shown, *more])


def refuse_further_classes(source: ImageSource, ingest: IngestParameters) -> None:
    """Refuse more images in the folders of further classes than may be rejected, before any image is read.

    Raises:
        UserError: Naming these folders and the command that leaves them out.
    """
    files = source.listing.files
    found = Counter(file.label for file in files if file.label and not file.problem)
    others = {name: count for name, count in found.most_common() if name not in ingest.class_names}
    two = _two_of(sorted(found), ingest)
    if two and sum(others.values()) > ingest.max_rejected * len(files):
        raise UserError(
            f"{sum(others.values()):,} of {len(files):,} image files at {source.address} are in the folders of other "
            f"classes than {' and '.join(ingest.class_names)}: {_say(others)}. With {two[0]} and, as the positive "
            f"class, {two[1]} alone: {_command_for_two(source, ingest, *two)}. To count a folder to one of them, move "
            "its images there, or list all images in a labels.csv (path, label)."
        )


def _two_of(folders: Sequence[str], ingest: IngestParameters) -> tuple[str, str] | None:
    """Return two folders that may be the negative and the positive class, if one of them is known by its name."""
    known = {class_of_folder(folder, ingest): folder for folder in folders}
    others = [folder for folder in folders if not class_of_folder(folder, ingest)]
    negative, positive = (
        known.get(name, others[0] if others else "") for name in (ingest.negative_class, ingest.positive_class)
    )
    is_known = not known.keys().isdisjoint(ingest.class_names)
    return (negative, positive) if is_known and negative and positive else None


def _command_for_two(source: ImageSource, ingest: IngestParameters, negative: str, positive: str) -> str:
    """Return the command that uses the images of two classes, and lets those of all others be rejected."""
    files = source.listing.files
    others = sum(file.label not in (negative, positive) for file in files)
    most = min(math.ceil(100 * (others / len(files) + ingest.max_rejected)) / 100, 1)
    classes = f"ingest.class_names={negative}/{positive},ingest.positive_class={positive}"
    return f"kedro run {as_parameters(f'images={source.address},{classes},ingest.max_rejected={most:g}')}"


def describe_other_classes(source: ImageSource, ingest: IngestParameters) -> str:
    """Say that no image is in a class folder, and each way to go on."""
    found = sorted({file.label for file in source.listing.files} - {""})
    shown = f"{', '.join(found[:_MOST_FOLDERS])}{' and others' if len(found) > _MOST_FOLDERS else ''}" or "none"
    below = {parts[1] for file in source.listing.files if len(parts := file.path.split("/")) > 2 and file.label}
    if len(set(class_folders(below, ingest).values())) == 2:
        return (
            f"The class folders {' and '.join(ingest.class_names)} at {source.address} are not at the top, but below "
            f"{shown}. Call splits train, val and test; name each hospital in sources, as docs/hospitals.md shows; "
            "otherwise put the folders of the classes at the top."
        )
    one, other = found[:2] if len(found) == 2 else ("ONE", "OTHER")
    named = as_parameters(f"ingest.class_names={one}/{other},ingest.positive_class={other}")
    if len(found) > 2 and (two := _two_of(found, ingest)):
        named = _command_for_two(source, ingest, *two)
    tables = [path for path in source.listing.tables if path.rpartition("/")[2] not in SIDE_FILES]
    tables.sort(key=lambda path: (not path.lower().endswith((*SUFFIXES, *SPREADSHEETS)), path))
    by_table = f" If a table has the labels: {as_parameters(f'labels.table={tables[0]}')}." if tables else ""
    if tables and tables[0].lower().endswith(SPREADSHEETS):
        by_table = f" If {tables[0]} has the labels, save it as CSV in the same folder: it is then found."
    return (
        f"No image at {source.address} is in a class folder {' or '.join(ingest.class_names)}; class folders there: "
        f"{shown}. Name the folder above them by --params=images=PATH, or say what they are called, and which is "
        f"positive, here the second: {named}.{by_table}"
    )
