"""What is known about the images of a run: only what somebody stated."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pandas as pd

from pneumonia.images.grouping import ETIOLOGIES, GROUPS_FILE
from pneumonia.report.record import RunRecord
from pneumonia.report.words import is_or_are, say_count
from pneumonia.split.leak_audit import SplitBy, Unit
from pneumonia.split.summary import FlowStep

UNKNOWN = "unknown"
ATTRIBUTION = (
    "Images: Kermany D, Zhang K, Goldbaum M (2018), Labeled Optical Coherence Tomography (OCT) and Chest X-Ray "
    "Images for Classification, Mendeley Data V2, doi:10.17632/rscbjbr9sj.2, licence CC BY 4.0; described in "
    "Kermany et al., Cell 172 (2018), doi:10.1016/j.cell.2018.02.010. Shown here resized, some with an "
    "overlaid map."
)


class ImageOrigin(StrEnum):
    """Where the images come from, as the parameter `report.source` states it."""

    KERMANY = "kermany"
    SYNTHETIC = "synthetic"
    UNKNOWN = "unknown"


def source_of(run_record: RunRecord) -> ImageOrigin:
    """Return what the run's parameters state. File names prove nothing, and the environment's name proves nothing."""
    return ImageOrigin(run_record["parameters"]["report"]["source"])


def name_test(run_record: RunRecord, class_counts: pd.DataFrame) -> str:
    """Name the test images by what is known of them: the name of a folder does not make them a published test set.

    Args:
        run_record: The record of the run.
        class_counts: split, target, images.
    """
    total = f"{class_counts.loc[class_counts['split'] == 'test', 'images'].sum():,} images"
    if source_of(run_record) is ImageOrigin.SYNTHETIC:
        return f"the synthetic test images ({total})"
    sources = run_record["data"]["test_from"]
    if "test" not in sources:
        return f"a part of the images held out by this project ({total})"
    if sources != ["test"]:  # of several sites, some name a test
        return f"images held out by this project together with those that a source names test ({total})"
    return f"the images that the source names test ({total})"


def say_population(run_record: RunRecord) -> str:
    """Say who the patients are, as stated, or that nobody stated it."""
    population = run_record["parameters"]["report"]["population"]
    if source_of(run_record) is ImageOrigin.SYNTHETIC:
        return "No patients: the images are synthetic."
    if population == UNKNOWN and source_of(run_record) is ImageOrigin.KERMANY:
        return "Patients, by the authors of the images: children aged 1 to 5 of one hospital."
    if population == UNKNOWN:
        return "The patients are not described: report.population was not set."
    return f"Patients, as stated in report.population: {population}."


def say_adaptation(run_record: RunRecord) -> str:
    """Say to how many images of which place the model was adapted after its training; nothing if it was not."""
    adaptation = run_record["model"].get("adaptation")
    if not adaptation:
        return ""
    images = f"{adaptation['n']:,} images of {adaptation['n_groups']:,} groups of {adaptation['place']}"
    return f"Then adapted to {images}."


def say_grouping(run_record: RunRecord, data_flow: pd.DataFrame) -> str:
    """Say what was kept in one split, and where the groups were read from."""
    group_by = ingest_of(run_record)["group_by"]
    if group_by == "image":
        return "image by image: images of one patient may be in several splits"
    side_files = data_flow.loc[data_flow["step"] == FlowStep.SIDE_FILES, "note"]
    listed = any(GROUPS_FILE in str(note).split(", ") for note in side_files)
    if listed:
        return f"by the groups in {GROUPS_FILE}"
    has_etiology = group_by == "etiology_number" and is_etiology_known(run_record)
    unit = "etiology and number" if has_etiology else "number"
    names = f"the {unit} in the file names"
    if not count_of(data_flow, FlowStep.PATIENT):
        return f"by {names}"
    others = count_of(data_flow, FlowStep.USABLE) - count_of(data_flow, FlowStep.PATIENT)
    patients = "the patient that the table of labels or the DICOM header names"
    return f"by {patients}" + (f", and {others:,} images by {names} or each on its own" if others else "")


def ingest_of(run_record: RunRecord) -> Mapping[str, Any]:
    """Return the parameters with which the manifest was made: the model's own, if it has them."""
    return run_record["model"].get("ingest") or run_record["parameters"]["ingest"]


def is_epoch_chosen(training: Mapping[str, Any]) -> bool:
    """Tell from the parameters of a training whether there was an epoch to choose: more than the last is validated."""
    return int(training["epochs"]) > int(training.get("validation_freq", 1))


def shared_by_unit(leak_audit: pd.DataFrame, sides: str | None = None) -> dict[str, int]:
    """Return how many groups, files and so on this run's splits share, by unit.

    Args:
        leak_audit: The table of `audit_leaks`.
        sides: One pair of splits, such as "train and test"; every pair if left out.
    """
    # A number alone also joins strangers: the table lists it, but it is not a known leak.
    is_counted = (leak_audit["split_by"] == SplitBy.MANIFEST) & (leak_audit["unit"] != Unit.NUMBER)
    rows = leak_audit[is_counted]
    rows = rows if sides is None else rows[rows["sides"] == sides]
    return {str(unit): int(count) for unit, count in rows.groupby("unit", sort=False)["on_both_sides"].sum().items()}


def say_shared(unit: str, count: int) -> str:
    """Count the groups, files or pairs that two splits share, by the unit of the leak audit."""
    one = {Unit.GROUP: "group", Unit.HASH: "identical file", Unit.NEAR: "pair of near-duplicates"}[Unit(unit)]
    return say_count(count, one, Unit(unit).label)


def say_leaks(leak_audit: pd.DataFrame) -> str:
    """Say whether images of one group or the same bytes are in two splits of this run, as the audit counted."""
    shared = shared_by_unit(leak_audit)
    if n := sum(shared.values()):
        listed = " and ".join(say_shared(unit, count) for unit, count in shared.items() if count)
        return f"{listed} {is_or_are(n)} shared by two splits, counted for each pair of splits"
    return "no known group and no identical file is in two splits"


def count_of(data_flow: pd.DataFrame, step: FlowStep) -> int:
    """Return the number of images of one step of the account, over all its parts."""
    return int(data_flow.loc[data_flow["step"] == step, "images"].sum())


def is_etiology_known(run_record: RunRecord) -> bool:
    """Tell whether file names gave an etiology for any image."""
    return not set(ETIOLOGIES).isdisjoint(run_record["data"]["etiologies"])
