"""Every kind of bad input gets a row with its reason, and the run goes on."""

import os
import re
import stat
import zipfile

import pytest
import yaml
from tests.pipelines.ingest.faulty_images import IMAGES, MOST_BYTES, OTHER_OBJECTS, draw, encode
from tests.pipelines.ingest.faulty_tables import TABLES
from tests.pipelines.ingest.odd_images import ACCEPTED, UNNOTICED

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import LabelsParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.grouping import PatientKey
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, pipes and such names need POSIX")

# Faults that are not in a file's bytes: links, pipes, names, places.
ENTRIES = {
    "train/NORMAL/loop.jpeg": "link or file that cannot be followed",
    "train/NORMAL/loop": "link that leads back to a folder above it",
    "train/NORMAL/lost.jpeg": "link to a missing file",
    "train/NORMAL/pipe.jpeg": "not a regular file",
    "train/NORMAL/\\xff.jpeg": "name that is not UTF-8",
    "train/NORMAL/line\\nbreak.jpeg": "name with control characters",
    "train/COVID/a.jpeg": "unknown class COVID: class_names are NORMAL and PNEUMONIA",
    "train/loose.jpeg": "not in a class folder",
    "copy/train/NORMAL/other.jpeg": "not in a class folder",
}
FAULTS = ENTRIES | {f"train/NORMAL/{name}": reason for name, (reason, _) in IMAGES.items()}
GOOD = {name: reason for name, (reason, _) in (ACCEPTED | UNNOTICED).items()} | {"followed.jpeg": ""}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder with one file of every kind."""
    root = tmp_path_factory.mktemp("corpus") / "images"
    folder = root / "train/NORMAL"
    for path in (folder, root / "train/COVID", root / "copy/train/NORMAL"):
        path.mkdir(parents=True)
    for name, (_, data) in (IMAGES | OTHER_OBJECTS | ACCEPTED | UNNOTICED).items():
        (folder / name).write_bytes(data)
    (root / "elsewhere.bin").write_bytes(encode(draw(100)))
    (folder / "followed.jpeg").symlink_to(root / "elsewhere.bin")
    (folder / "loop.jpeg").symlink_to("loop.jpeg")
    (folder / "loop").symlink_to(folder)
    (folder / "lost.jpeg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpeg")
    for path in (folder / os.fsdecode(b"\xff.jpeg"), folder / "line\nbreak.jpeg"):
        path.write_bytes(encode(draw(101)))
    for path in ("train/COVID/a.jpeg", "train/loose.jpeg", "copy/train/NORMAL/other.jpeg"):
        (root / path).write_bytes(encode(draw(102)))
    return root


@pytest.fixture(scope="module")
def rows(corpus, delivered):
    """The index of the corpus, by path; making it changes nothing in the folder."""

    def state():
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(corpus.rglob("*"))}

    before, cache = state(), IndexCache(corpus.parent / "cache.sqlite")
    table = nodes.index_labelled(ImageSource(str(corpus)), cache, delivered(max_file_bytes=MOST_BYTES))
    assert state() == before
    return table.set_index("path")


def test_the_corpus_has_at_least_120_kinds():
    assert len(FAULTS) + sum(len(kinds) for kinds in TABLES.values()) >= 170


@pytest.mark.parametrize("path", FAULTS)
def test_a_faulty_file_is_refused_for_its_reason(rows, path):
    found = rows.loc[path]
    assert found["status"] == "rejected"
    assert found["reason"].startswith(FAULTS[path])


@pytest.mark.parametrize("name", OTHER_OBJECTS)
def test_a_sound_file_that_shows_something_else_is_another_object(rows, name):
    found = rows.loc[f"train/NORMAL/{name}"]
    assert found["status"] == "other object"
    assert found["reason"].startswith(OTHER_OBJECTS[name][0])


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_file_that_can_be_decoded_is_used_with_a_note(rows, name):
    found = rows.loc[f"train/NORMAL/{name}"]
    assert (found["status"], found["reason"]) == ("ok", GOOD[name])


def test_every_file_of_the_corpus_has_a_row(rows):
    assert len(rows) == len(FAULTS) + len(GOOD) + len(OTHER_OBJECTS)


@pytest.fixture(scope="module")
def labels_parameters(project):
    """The parameters as delivered."""
    return LabelsParameters(**yaml.safe_load((project / "conf/base/parameters_labels.yml").read_text())["labels"])


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in TABLES.items() for kind in kinds])
def test_a_faulty_table_is_refused_in_a_sentence(tmp_path, delivered, labels_parameters, name, kind):
    reason, data = TABLES[name][kind]
    for seed, path in enumerate(("train/NORMAL/a.png", "train/PNEUMONIA/b.png")):
        (tmp_path / "set" / path).parent.mkdir(parents=True)
        (tmp_path / "set" / path).write_bytes(encode(draw(seed), "PNG"))
    (tmp_path / "set" / name).write_bytes(data)

    def read():
        source = with_labels(
            ImageSource(str(tmp_path / "set")), delivered(), labels_parameters, PatientKey(tmp_path / "key")
        )
        return nodes.index_labelled(source, IndexCache(tmp_path / "cache.sqlite"), delivered())

    with pytest.raises(UserError, match=re.escape(reason)):
        read()


def test_every_kind_of_bad_archive_member_is_rejected_for_its_reason(tmp_path, index, make_pixels, encode):
    path = tmp_path / "archive.zip"
    link = zipfile.ZipInfo("train/NORMAL/link.jpeg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/NORMAL/good.jpeg", encode(make_pixels(0)))
        archive.writestr("train/NORMAL/broken.jpeg", b"A" * 64 + encode(make_pixels(1)))
        archive.writestr("train/NORMAL/large.jpeg", bytes(100_001), zipfile.ZIP_DEFLATED)
        archive.writestr(link, b"/etc/passwd")
        archive.writestr("/etc/absolute.jpeg", b"x")
        archive.writestr("train/NORMAL/../../out.jpeg", b"x")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"A" * 64, b"B" * 64))

    rows = index(path, max_file_bytes=MOST_BYTES).set_index("path")["reason"]

    assert rows["train/NORMAL/broken.jpeg"].startswith("train/NORMAL/broken.jpeg cannot be read (Bad CRC-32")
    assert rows.drop("train/NORMAL/broken.jpeg").to_dict() == {
        "/etc/absolute.jpeg": "absolute path in the archive",
        "train/NORMAL/../../out.jpeg": "path that leads out of the archive (..)",
        "train/NORMAL/good.jpeg": "",
        "train/NORMAL/large.jpeg": "more than 100,000 bytes",
        "train/NORMAL/link.jpeg": "link in the archive",
    }
