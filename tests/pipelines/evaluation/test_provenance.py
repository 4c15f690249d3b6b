import pandas as pd
import pytest

from pneumonia.report.provenance import name_test, say_grouping, say_leaks, say_population, source_of
from pneumonia.split.leak_audit import SplitBy
from pneumonia.split.summary import FlowStep


def record(source="kermany", etiologies=("bacteria", "none", "virus"), test_from=("test",), environment="local"):
    return {
        "environment": environment,
        "parameters": {"report": {"source": source, "population": "unknown"}},
        "data": {"etiologies": list(etiologies), "test_from": list(test_from)},
    }


def split_by(group_by, etiologies=("bacteria", "none", "virus")):
    """Return the record of a run whose manifest was split so."""
    return {**record(etiologies=etiologies), "model": {}, "parameters": {"ingest": {"group_by": group_by}}}


def counts(normal, pneumonia):
    return pd.DataFrame({"split": "test", "target": [0, 1], "images": [normal, pneumonia]})


@pytest.mark.parametrize("environment", ["local", "demo"])
def test_neither_file_names_nor_the_environment_say_whose_images_these_are(environment):
    assert source_of(record("unknown", ("bacteria", "none", "virus"), environment=environment)) == "unknown"


def test_the_published_images_are_not_said_to_be_of_patients_that_nobody_described():
    assert (
        say_population(record("kermany"))
        == "Patients, by the authors of the images: children aged 1 to 5 of one hospital."
    )
    assert say_population(record("unknown")).startswith("The patients are not described")


def test_neither_their_number_nor_their_folder_makes_images_the_published_test_set():
    for source in ("kermany", "unknown"):
        assert name_test(record(source), counts(234, 390)) == "the images that the source names test (624 images)"
    drawn = name_test(record(test_from=("train",)), counts(234, 390))
    assert drawn == "a part of the images held out by this project (624 images)"
    some = name_test(record(test_from=("none", "test")), counts(50, 50))
    assert some == "images held out by this project together with those that a source names test (100 images)"
    assert name_test(record("synthetic"), counts(40, 68)) == "the synthetic test images (108 images)"


@pytest.mark.parametrize(
    ("usable", "words"),
    [
        (10, "by the patient that the table of labels or the DICOM header names"),
        (
            12,
            "by the patient that the table of labels or the DICOM header names, and 2 images by the etiology and "
            "number in the file names or each on its own",
        ),
    ],
)
def test_patients_from_a_table_or_a_header_are_not_said_to_come_from_file_names(usable, words):
    steps = [FlowStep.SIDE_FILES, FlowStep.USABLE, FlowStep.PATIENT]
    flow = pd.DataFrame({"step": steps, "note": "", "images": [0, usable, 10]})
    assert say_grouping(split_by("etiology_number"), flow) == words


def test_file_names_without_etiologies_are_not_said_to_have_them():
    flow = pd.DataFrame({"step": [FlowStep.SIDE_FILES], "note": [""], "images": [0]})
    assert say_grouping(split_by("etiology_number", ("none", "unknown")), flow) == "by the number in the file names"


@pytest.mark.parametrize(
    ("group_by", "side_files", "words"),
    [
        ("etiology_number", "", "by the etiology and number in the file names"),
        ("number", "lesions.csv", "by the number in the file names"),
        ("etiology_number", "groups.csv, lesions.csv", "by the groups in groups.csv"),
        ("image", "groups.csv", "image by image: images of one patient may be in several splits"),
    ],
)
def test_the_split_is_called_by_what_was_kept_together(group_by, side_files, words):
    flow = pd.DataFrame({"step": [FlowStep.SIDE_FILES], "note": [side_files], "images": [0]})
    assert say_grouping(split_by(group_by), flow) == words


def test_the_parameters_of_the_models_own_ingest_go_first():
    flow = pd.DataFrame({"step": [FlowStep.SIDE_FILES], "note": [""], "images": [0]})
    lineage = {"ingest": {"group_by": "number"}}
    text = say_grouping({"model": lineage, "parameters": {"ingest": {"group_by": "image"}}}, flow)
    assert text == "by the number in the file names"


def test_the_sentence_about_leaks_follows_the_audit():
    audit = pd.DataFrame(
        [
            (SplitBy.IMAGE, "train and val", "group", 311),
            (SplitBy.MANIFEST, "train and val", "group", 0),
            (SplitBy.MANIFEST, "train and val", "hash", 0),
        ],
        columns=["split_by", "sides", "unit", "on_both_sides"],
    )
    assert say_leaks(audit) == "no known group and no identical file is in two splits"
    leaky = audit.assign(on_both_sides=[311, 12, 0])
    assert say_leaks(leaky) == "12 groups are shared by two splits, counted for each pair of splits"
    alone = audit.assign(on_both_sides=[311, 1, 0])
    assert say_leaks(alone) == "1 group is shared by two splits, counted for each pair of splits"
