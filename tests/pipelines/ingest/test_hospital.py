"""From a hospital's export to the index in one attempt, with the parameters as delivered."""

import pytest
import yaml
from tests.pipelines.ingest.hospital import LITTER, make_export

from pneumonia.base.parameters import LabelsParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes


@pytest.fixture(scope="module")
def export():
    return make_export()


@pytest.fixture(scope="module")
def indexed(export, tmp_path_factory, delivered, project):
    """The index and the table of label problems of the export, by path, and the folder that was read."""
    root = tmp_path_factory.mktemp("hospital") / "CD"
    for path, data in export.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    labels = LabelsParameters(**yaml.safe_load((project / "conf/base/parameters_labels.yml").read_text())["labels"])
    source, cache = ImageSource(str(root)), IndexCache(root.parent / "cache.sqlite")
    index, problems = nodes.index_images(source, cache, delivered(), labels, {})
    return index.assign(path="DICOM/" + index["path"]).set_index("path"), problems, source.listing


def test_every_frontal_image_with_a_row_has_its_label_and_nothing_else_has_one(export, indexed):
    index, _, _ = indexed

    assert len(export.labels) == 192
    assert index.loc[index["status"] == "ok", "label"].to_dict() == export.labels


def test_every_other_file_is_accounted_for_by_its_reason(export, indexed):
    index, problems, listing = indexed
    left = index[index["status"] != "ok"]

    def paths(status, reason):
        return set(left.index[(left["status"] == status) & left["reason"].str.startswith(reason)])

    unread = export.others["unread"]
    assert paths("other object", "not a frontal view") == export.others["lateral"] - unread
    assert paths("other object", "not a radiograph: other modality (SR)") == export.others["report"] - unread
    assert paths("left out", "no row in the table") == unread
    assert left["status"].isin(["other object", "left out"]).all()
    assert problems["kind"].value_counts().to_dict() == {"file without a row": len(unread), "row without a file": 1}
    assert listing.junk == {"viewer's program, page or index": 6}
    assert len(index) + 6 + len(listing.others) == len(export.files)
    assert set(listing.others) == {"Befunde.csv", "LIESMICH.TXT"} <= {*LITTER, "Befunde.csv"}


def test_images_of_a_patient_are_a_group_and_no_identifier_is_written(export, indexed):
    index, problems, _ = indexed
    usable = index[index["status"] == "ok"]

    assert usable.groupby("group")["label"].size().max() == 2
    assert usable["group"].str.startswith("patient-").all()
    assert set(usable["sex"]) == {"F", "M"}
    written = index.to_csv() + problems.to_csv()
    assert [text for text in export.identifiers if text in written] == []
