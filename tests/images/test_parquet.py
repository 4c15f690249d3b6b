import io
import json

import pyarrow
import pyarrow.parquet
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.grouping import PatientKey
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource

JPEG = b"\xff\xd8 of "


def parquet(rows, names=None, column="image", **options):
    """A file as Hugging Face publishes it: structures of bytes and path; the labels' names are in its description."""
    table = pyarrow.Table.from_pylist(rows)
    if names:
        features = {column: {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    content = io.BytesIO()
    pyarrow.parquet.write_table(table, content, **options)
    return content.getvalue()


def row(number, label, **more):
    image = {"bytes": JPEG + str(number).encode(), "path": f"IM-{number:04}-0001.jpeg"}
    return {"image": image, "label": label, **more}


NAMED = ["NORMAL", "PNEUMONIA"]
SHARDS = {
    "data/train-00000-of-00002-1a2b.parquet": parquet([row(1, 1), row(2, 0)], NAMED),
    "data/train-00001-of-00002-3c4d.parquet": parquet([row(n, n % 2) for n in range(3, 8)], NAMED, row_group_size=2),
    "data/validation-00000-of-00001.parquet": parquet([row(2, 0)], NAMED),
    "data/test-00000-of-00001.parquet": parquet([row(9, 1)], NAMED),
    "README.md": b"---\n",
}


@pytest.fixture
def place(tmp_path):
    def make(files):
        for name, data in files.items():
            (tmp_path / "place" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "place" / name).write_bytes(data)
        return tmp_path / "place"

    return make


@pytest.fixture
def labelled(tmp_path, default_parameters):
    """Label the images at a path."""

    def label(path, **changes):
        ingest = IngestParameters.model_validate(default_parameters["ingest"])
        labels = LabelsParameters.model_validate({**default_parameters["labels"], **changes})
        return with_labels(ImageSource(str(path)), ingest, labels, PatientKey(tmp_path / "key"))

    return label


def test_a_set_in_shards_has_the_paths_of_the_published_folder(place, labelled):
    source = labelled(place(SHARDS))

    assert {
        file.path: (file.label, file.source_split, source.read_file(file)[-1:]) for file in source.listing.files
    } == {
        f"{split}/{NAMED[n % 2]}/IM-{n:04}-0001.jpeg": (NAMED[n % 2], split, str(n).encode())
        for split, n in [("val", 2), ("test", 9), *(("train", n) for n in range(1, 8))]
    }


def test_each_file_has_its_own_names_of_the_classes(place, labelled):
    files = {"train.parquet": parquet([row(1, 0)], NAMED), "test.parquet": parquet([row(2, 0)], NAMED[::-1])}

    assert {file.path: file.label for file in labelled(place(files)).listing.files} == {
        "train/NORMAL/IM-0001-0001.jpeg": "NORMAL",
        "test/PNEUMONIA/IM-0002-0001.jpeg": "PNEUMONIA",
    }


@pytest.mark.parametrize(
    ("rows", "names", "expected"),
    [
        ([row(1, 0), row(2, 1)], None, {"IM-0001-0001.jpeg": "NORMAL", "IM-0002-0001.jpeg": "PNEUMONIA"}),
        ([row(1, ["Effusion", "Pneumonia"])], None, {"IM-0001-0001.jpeg": "PNEUMONIA"}),
        ([row(1, "pneumonia")], None, {"IM-0001-0001.jpeg": "PNEUMONIA"}),
        ([row(1, 1)], ["Pneumonia", "Normal"], {"Normal/IM-0001-0001.jpeg": "NORMAL"}),
        ([{"image": JPEG, "label": 1}], None, {"0-0-000000.jpeg": "PNEUMONIA"}),
        ([{"img": {"bytes": b"\x89PNG", "path": None}, "class": True}], None, {"0-0-000000.png": "PNEUMONIA"}),
        ([row(1, 1), row(1, 0)], None, {"IM-0001-0001.jpeg": "PNEUMONIA", "2/IM-0001-0001.jpeg": "NORMAL"}),
    ],
)
def test_labels_and_names_are_read_as_the_file_has_them(place, labelled, rows, names, expected):
    source = labelled(place({"one.parquet": parquet(rows, names)}) / "one.parquet")

    assert {file.path: file.label for file in source.listing.files} == expected


def test_other_columns_are_those_of_a_table(place, labelled):
    rows = [
        row(n, 1, patient_id=7, age=62.0, sex="weiblich", split="validation", **{"View Position": "AP"}) for n in (1, 2)
    ]

    source = labelled(place({"one.parquet": parquet(rows)}))

    told = list(source.listing.rows.values())
    assert [(r.age, r.sex, r.view, r.split) for r in told] == [("62", "F", "AP", "val")] * 2
    assert told[0].group == told[1].group
    assert told[0].group.startswith("patient-")


def test_only_the_last_row_groups_are_held_in_memory(place, monkeypatch):
    monkeypatch.setattr("pneumonia.images.parquet._HELD_BYTES", 1)
    rows = [row(n, 0) for n in range(20)]
    source = ImageSource(str(place({"one.parquet": parquet(rows, row_group_size=3)})))

    assert sorted(source.read_file(file)[-1:] for file in source.listing.files) == sorted(
        str(n % 10).encode() for n in range(20)
    )
    assert len(source._storage._parts[1]._held) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (SHARDS["data/test-00000-of-00001.parquet"][:-20], "is not a complete Parquet file .* Download it again"),
        (parquet([{"path": "a.png", "label": 1}]), "has no column of images as bytes; it has path, label"),
    ],
)
def test_a_file_without_images_is_named(place, data, message):
    with pytest.raises(UserError, match=message):
        _ = ImageSource(str(place({"one.parquet": data}) / "one.parquet")).listing


def test_a_row_without_bytes_is_listed_with_its_problem(place):
    rows = [row(1, 0), {"image": {"bytes": None, "path": "gone.png"}, "label": 1}]
    files = ImageSource(str(place({"one.parquet": parquet(rows)}))).listing.files

    assert {file.path: file.problem for file in files} == {
        "IM-0001-0001.jpeg": "not in a class folder", "gone.png": "no bytes of an image",
    }  # fmt: skip


def test_damage_ends_in_a_sentence(place):
    whole = parquet([row(n, n % 2) for n in range(40)], NAMED, row_group_size=8)
    for position in range(0, len(whole), 7):
        path = place({"one.parquet": whole[:position] + b"\xf5\x00\x9c" + whole[position + 3 :]}) / "one.parquet"
        source = ImageSource(str(path))
        try:
            found = [source.read_file(file) for file in source.listing.files if not file.member.problem]
        except UserError as error:
            found = [error.message]
        assert found


def test_without_its_package_the_package_is_named(place, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(UserError, match=r'pip install -c constraints\.txt -e "\.\[parquet\]"'):
        _ = ImageSource(str(place({"one.parquet": SHARDS["data/test-00000-of-00001.parquet"]}))).listing
