import io
import logging
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.grouping import PatientKey
from pneumonia.images.index import INDEX_COLUMNS, examine_files, make_index
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource


@pytest.fixture(scope="module")
def arrays():
    """Six train images of 40 px, and two each of val and test, with the labels 0, 1, 0, 1, ..."""
    rng = np.random.default_rng(0)
    found = {}
    for split, count in (("train", 6), ("val", 2), ("test", 2)):
        found[f"{split}_images"] = rng.integers(0, 256, (count, 40, 40), np.uint8)
        found[f"{split}_labels"] = (np.arange(count, dtype=np.uint8) % 2)[:, None]
    return found


@pytest.fixture
def saved(tmp_path):
    """Write arrays into a file and return its source."""

    def save(arrays, writer=np.savez_compressed):
        writer(tmp_path / "pneumoniamnist.npz", **arrays)
        return ImageSource(str(tmp_path / "pneumoniamnist.npz"))

    return save


@pytest.fixture
def ingest(default_parameters):
    return IngestParameters(**{**default_parameters["ingest"], "class_names": ["WELL", "ILL"], "positive_class": "ILL"})


@pytest.fixture
def labels(default_parameters):
    return LabelsParameters(**default_parameters["labels"])


def test_each_image_is_a_file_whose_pixels_are_those_of_the_array(saved, arrays):
    source = saved(arrays)

    assert [file.path for file in source.listing.files][:3] == [
        "test/0/000000.bmp",
        "test/1/000001.bmp",
        "train/0/000000.bmp",
    ]
    assert len(source.listing.files) == 10
    for row in range(6):
        with Image.open(io.BytesIO(source.read(f"train/{row % 2}/{row:06d}.bmp"))) as image:
            assert image.mode == "L"
            assert (np.asarray(image) == arrays["train_images"][row]).all()


def test_the_classes_are_named_by_the_parameters(saved, arrays, ingest, labels, tmp_path):
    listing = with_labels(saved(arrays), ingest, labels, PatientKey(tmp_path / "key")).listing

    assert {file.path: (file.label, file.source_split, file.problem) for file in listing.files} == {
        f"{split}/{row % 2}/{row:06d}.bmp": (("WELL", "ILL")[row % 2], split, "")
        for split, count in (("train", 6), ("val", 2), ("test", 2))
        for row in range(count)
    }
    assert listing.label_problems == ()


def test_the_bytes_are_the_same_however_the_arrays_are_stored(saved, arrays):
    compressed = {file.path: saved(arrays).read(file.path) for file in saved(arrays).listing.files}
    turned = {name: np.asfortranarray(array) for name, array in arrays.items()}
    plain = saved(turned, np.savez)

    assert {file.path: plain.read(file.path) for file in plain.listing.files} == compressed


def test_a_changed_image_is_examined_again_and_no_other(saved, arrays):
    before = {file.path: file.member.stamp for file in saved(arrays).listing.files}
    changed = {**arrays, "val_images": arrays["val_images"] ^ np.array([1, 0], np.uint8)[:, None, None]}
    after = {file.path: file.member.stamp for file in saved(changed).listing.files}

    assert {path for path in before if before[path] != after[path]} == {"val/0/000000.bmp"}


def test_the_run_is_told_that_nobody_knows_the_patients(saved, arrays, ingest, labels, tmp_path, caplog):
    source = with_labels(saved(arrays), ingest, labels, PatientKey(tmp_path / "key"))
    with caplog.at_level(logging.WARNING):
        index = make_index(source, examine_files(source, IndexCache(tmp_path / "cache"), ingest), ingest)

    assert list(index.columns) == list(INDEX_COLUMNS)
    assert (index["status"] == "ok").all()
    assert (index["group"] == index["path"]).all()
    assert "names no patients" in caplog.text
    assert "no external test" in caplog.text


def test_a_table_of_ones_own_names_the_patients(saved, arrays, ingest, labels, tmp_path):
    paths = [file.path for file in saved(arrays).listing.files]
    rows = [f"{path},{path.split('/')[1]},patient {number // 2}" for number, path in enumerate(paths)]
    (tmp_path / "patients.csv").write_text("\n".join(["path,label,group", *rows]))
    table = labels.model_copy(update={"table": str(tmp_path / "patients.csv")})

    source = with_labels(saved(arrays), ingest, table, PatientKey(tmp_path / "key"))
    index = make_index(source, examine_files(source, IndexCache(tmp_path / "cache"), ingest), ingest)
    assert index["group"].tolist() == [f"patient {number // 2}" for number in range(10)]


def test_a_folder_is_not_remarked_upon(tmp_path):
    assert ImageSource(str(tmp_path)).remark == ""


def test_an_image_that_is_too_small_is_refused_with_the_parameter_to_set(saved, arrays, ingest, labels, tmp_path):
    small = {name: array[:, :28, :28] if name.endswith("images") else array for name, array in arrays.items()}
    source = with_labels(saved(small), ingest, labels, PatientKey(tmp_path / "key"))
    problems = {facts.problem for facts in examine_files(source, IndexCache(tmp_path / "cache"), ingest).values()}
    assert problems == {"too small: 28 x 28 pixels (ingest.min_side is 32)"}

    allowed = ingest.model_copy(update={"min_side": 28})
    facts = examine_files(source, IndexCache(tmp_path / "cache"), allowed)
    assert {found.problem for found in facts.values()} == {""}


def test_an_address_of_a_file_system_is_read_too(saved, arrays, tmp_path):
    saved(arrays)
    assert len(ImageSource(f"file://{tmp_path}/pneumoniamnist.npz").unlabelled) == 10


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"val_labels": None, "test_images": None}, "it lacks val_labels, test_images"),
        ({"train_images": np.zeros((6, 40, 40), np.float32)}, "train_images is float32 [6, 40, 40]"),
        ({"train_images": np.zeros((6, 40, 40, 3), np.uint8)}, "train_images is uint8 [6, 40, 40, 3]"),
        ({"train_images": np.zeros((6, 0, 40), np.uint8)}, "train_images is uint8 [6, 0, 40]"),
        ({"val_labels": np.zeros((3, 1), np.uint8)}, "val_labels is uint8 [3, 1] for 2 images"),
        ({"val_labels": np.zeros((2, 14), np.uint8)}, "val_labels is uint8 [2, 14] for 2 images"),
        ({"val_labels": np.zeros((2, 1))}, "val_labels is float64 [2, 1] for 2 images"),
        ({"test_labels": np.array([[0], [3]])}, "test_labels holds 3"),
        ({"test_labels": np.array([[0], [{}]], object)}, "Object arrays cannot be loaded when allow_pickle=False"),
    ],
)
def test_arrays_of_another_kind_are_refused_in_one_sentence(saved, arrays, changes, reason):
    changed = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
    with pytest.raises(
        UserError, match=re.escape(f"complete MedMNIST file with two classes ({reason}): it needs train_images")
    ):
        saved(changed).listing  # noqa: B018 - asking for it opens the file


def test_a_file_that_is_no_archive_or_was_cut_or_is_far_too_large_is_refused(saved, arrays, tmp_path, monkeypatch):
    path = tmp_path / "pneumoniamnist.npz"
    saved(arrays, np.savez)
    whole = path.read_bytes()
    for content in (
        b"",
        b"no archive",
        whole[:-30],
        whole[: len(whole) // 2],
        whole.replace(b"\x93NUMPY", b"\x93NUMPX"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a complete MedMNIST file"):
            ImageSource(str(path)).listing  # noqa: B018
    path.write_bytes(whole)
    monkeypatch.setattr("pneumonia.images.medmnist.MAX_BYTES", 1_000)
    with pytest.raises(UserError, match="its arrays have more than 1,000 bytes"):
        ImageSource(str(path)).listing  # noqa: B018


def test_an_array_that_claims_to_be_endless_is_refused(saved, arrays, tmp_path):
    saved(arrays)
    path = tmp_path / "endless.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**50, 40, 40)})
    with zipfile.ZipFile(tmp_path / "pneumoniamnist.npz") as given, zipfile.ZipFile(path, "w") as endless:
        for name in given.namelist():
            endless.writestr(name, header.getvalue() if name == "train_images.npy" else given.read(name))
    with pytest.raises(UserError, match="is not a complete MedMNIST file"):
        ImageSource(str(path)).listing  # noqa: B018
