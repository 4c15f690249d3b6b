import logging
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tests.images.dicom_files import make

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.account import count_notes, count_reasons, refuse_unusable, warn
from pneumonia.images.cache import IndexCache
from pneumonia.images.duplicates import mark_duplicates
from pneumonia.images.index import FAINT, examine_files, make_index
from pneumonia.images.source import ImageSource

NONE = pd.DataFrame({"path": [], "reason": []}, dtype=str)


@pytest.fixture
def ingest(project):
    """The parameters as delivered, with changes."""
    values = yaml.safe_load((project / "conf/base/parameters_ingest.yml").read_text(encoding="utf-8"))["ingest"]
    return lambda **changes: IngestParameters.model_validate({**values, **changes})


def index_of(*rows):
    """An index of status, reason and group, and how many rows there are of each."""
    listed = [(f"{n}-{k}.dcm", *row) for n, (*row, count) in enumerate(rows) for k in range(count)]
    return pd.DataFrame(listed, columns=["path", "status", "reason", "group"])


def test_notes_and_other_objects_are_counted_the_most_frequent_first():
    index = index_of(
        ("ok", "view unknown; palette", "a", 3), ("ok", "view unknown", "b", 2), ("ok", "", "c", 9),
        ("rejected", "palette", "d", 4), ("other object", "raw", "e", 2), ("other object", "film", "f", 3),
    )  # fmt: skip

    assert count_notes(index) == {"view unknown": 5, "palette": 3}
    assert count_reasons(index, "other object") == {"film": 3, "raw": 2}


def test_rejected_files_are_counted_by_reason_before_some_are_named(ingest):
    index = index_of(("rejected", "empty file", "", 130), ("rejected", "not an image", "", 6), ("ok", "", "a", 200))
    rejected = index[index["status"] == "rejected"]

    with pytest.raises(UserError) as refused:
        refuse_unusable(rejected, index, ingest())

    lines = refused.value.message.splitlines()
    assert lines[0].startswith("136 of 336 image files")
    assert lines[1].startswith("  130: empty file (0-0.dcm, 0-1.dcm, ")
    assert lines[2].startswith("  6: not an image (1-0.dcm, ")
    assert len(lines) == 4
    assert all(len(line) < 250 for line in lines[1:])


def test_other_objects_do_not_count_as_rejected(ingest):
    index = index_of(("other object", "lateral", "", 136), ("ok", "", "a", 99), ("rejected", "empty file", "", 1))

    refuse_unusable(index[index["status"] == "rejected"], index, ingest(max_rejected=0.01))
    with pytest.raises(UserError, match="1 of 100 image files"):
        refuse_unusable(index[index["status"] == "rejected"], index, ingest(max_rejected=0.009))


@pytest.mark.parametrize(("faint", "stops"), [(5, False), (6, True)])
def test_many_images_that_show_next_to_nothing_stop_the_run(faint, stops, ingest):
    index = index_of(("ok", f"palette; {FAINT}", "a", faint), ("ok", "", "b", 10 - faint))

    if not stops:
        refuse_unusable(NONE, index, ingest())
        return
    with pytest.raises(UserError, match=r"6 of 10 images .* ingest.max_faint"):
        refuse_unusable(NONE, index, ingest())
    refuse_unusable(NONE, index, ingest(max_faint=0.6))


@pytest.mark.parametrize(
    ("images", "warned", "stops"),
    [(10, False, False), (11, True, False), (54, True, False), (91, True, True), (100, True, True)],
)
def test_one_patients_id_on_many_images_is_warned_of_and_on_most_stops_the_run(images, warned, stops, ingest, caplog):
    index = index_of(("ok", "", "patient-0", images), *(("ok", "", f"patient-x{n}", 1) for n in range(100 - images)))

    with caplog.at_level(logging.WARNING):
        warn(index)

    assert (f"{images:,} of 100 images ({images}%)" in caplog.text) == warned
    assert ("ingest.patient_id=ignore" in caplog.text) == warned
    refuse_unusable(NONE, index, ingest(group_by="image"))
    if stops:
        with pytest.raises(UserError, match="ingest.patient_id=ignore"):
            refuse_unusable(NONE, index, ingest())


@pytest.mark.parametrize(("choice", "groups"), [("use", 1), ("ignore", 3)])
def test_the_patients_id_is_used_or_ignored(choice, groups, ingest, tmp_path):
    for number in range(3):
        path = tmp_path / f"images/NORMAL/IM-000{number}-0001.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(PatientID="ANONYMOUS", SOPInstanceUID=f"1.2.{number}"))
    source, parameters = ImageSource(str(Path(tmp_path / "images"))), ingest(patient_id=choice)

    facts = examine_files(source, IndexCache(tmp_path / "cache"), parameters)

    assert mark_duplicates(make_index(source, facts, parameters))["group"].nunique() == groups
