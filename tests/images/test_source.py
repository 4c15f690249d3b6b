import asyncio
import errno
import io
import itertools
import os
import ssl
import stat
import sys
import tarfile
import threading
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest
from fsspec.exceptions import FSTimeoutError
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image
from tests.images.test_parquet import NAMED, parquet
from tests.pipelines.ingest.faulty_images import encode

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.folders import FileStorage
from pneumonia.images.index import examine_files
from pneumonia.images.patience import LostError, UnreadableError
from pneumonia.images.source import ImageSource
from pneumonia.images.storage import open_storage
from pneumonia.pixels.decoding import ReadingSettings
from pneumonia.pixels.request import PixelRequest, decode_all
from pneumonia.predictor.reading import items_of, read_in_chunks, with_ranges


def write(root, *paths, data=b"bytes"):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def problems(source):
    return {file.path: file.problem for file in source.listing.files}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "images", "train/NORMAL/a.jpeg", "test/PNEUMONIA/b.jpeg")
    return tmp_path / "images"


@pytest.fixture
def zipped(tmp_path):
    """Write an archive with given members and return its source."""

    def make(members):
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return ImageSource(str(path))

    return make


def test_a_folder_is_listed_and_read(folder):
    source = ImageSource(str(folder))

    assert problems(source) == {"test/PNEUMONIA/b.jpeg": "", "train/NORMAL/a.jpeg": ""}
    assert source.read("train/NORMAL/a.jpeg") == b"bytes"


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="these take only names in Unicode")
def test_a_folder_whose_name_is_not_utf_8_is_examined(folder, tmp_path, default_parameters):
    latin = os.fsdecode(os.fsencode(tmp_path) + b"/R\xf6ntgen")
    folder.rename(latin)

    examined = examine_files(
        ImageSource(latin),
        IndexCache(tmp_path / "cache.sqlite"),
        IngestParameters.model_validate(default_parameters["ingest"]),
    )
    assert sorted(examined) == ["test/PNEUMONIA/b.jpeg", "train/NORMAL/a.jpeg"]


def test_a_zip_is_read_in_place_with_the_paths_of_the_folder(zipped, tmp_path):
    source = zipped([("x/train/NORMAL/a.jpeg", b"one"), ("x/x/train/NORMAL/a.jpeg", b"one"), ("x/.DS_Store", b"")])

    assert problems(source) == {"train/NORMAL/a.jpeg": ""}
    assert source.read("train/NORMAL/a.jpeg") == b"one"
    assert source.listing.junk == {".DS_Store": 1, "copy in a second tree": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["archive.zip"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/etc/passwd", "absolute path in the archive"),
        ("C:\\train\\NORMAL\\a.jpeg", "absolute path in the archive"),
        ("train/NORMAL/../../../a.jpeg", "path that leads out of the archive (..)"),
        ("train\\NORMAL\\..\\..\\a.jpeg", "path that leads out of the archive (..)"),
        ("train/NORMAL/a\nb.jpeg", "name with control characters"),
    ],
)
def test_a_dangerous_archive_member_is_refused_with_its_reason(zipped, name, problem):
    source = zipped([("train/NORMAL/good.jpeg", b"one"), (name, b"two")])

    assert sorted(problems(source).values()) == ["", problem]


def test_a_link_in_an_archive_is_refused(zipped):
    link = zipfile.ZipInfo("train/NORMAL/link.jpeg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    source = zipped([("train/NORMAL/a.jpeg", b"one"), (link, b"/etc/passwd")])

    assert problems(source)["train/NORMAL/link.jpeg"] == "link in the archive"


def test_a_second_member_of_one_name_is_refused(zipped):
    with pytest.warns(UserWarning, match="Duplicate name"):
        source = zipped([("train/NORMAL/a.jpeg", b"one"), ("train/NORMAL/a.jpeg", b"two")])

    assert [file.problem for file in source.listing.files].count("second archive member of the same name") == 1


def test_a_zip_made_on_windows_has_the_same_paths(zipped):
    source = zipped([("x\\train\\NORMAL\\a.jpeg", b"one")])

    assert source.read("train/NORMAL/a.jpeg") == b"one"


def test_a_damaged_archive_member_cannot_be_read(zipped):
    source = zipped([("train/NORMAL/a.jpeg", bytes(range(256)) * 8), ("train/NORMAL/b.jpeg", b"b")])
    path = source.address
    content = bytearray(Path(path).read_bytes())
    content[60:70] = b"0123456789"
    Path(path).write_bytes(content)

    with pytest.raises(UnreadableError, match=r"train/NORMAL/a.jpeg cannot be read"):
        ImageSource(path).read("train/NORMAL/a.jpeg")


@pytest.mark.parametrize("left", [80, 10, 0])
def test_an_archive_that_was_cut_is_named(zipped, left):
    source = zipped([("train/NORMAL/a.jpeg", b"one")])
    content = Path(source.address).read_bytes()
    Path(source.address).write_bytes(content[:left])

    with pytest.raises(UserError, match="not a complete zip archive .* download it again"):
        _ = source.listing


@pytest.fixture
def memory():
    file_system = fsspec.filesystem("memory")
    file_system.pipe("/set/train/NORMAL/a.jpeg", b"one")
    file_system.pipe("/set/train/PNEUMONIA/b.jpeg", b"two")
    yield file_system
    file_system.rm("/set", recursive=True)


def test_an_fsspec_address_is_listed_and_read(memory):
    source = ImageSource("memory://set")

    assert problems(source) == {"train/NORMAL/a.jpeg": "", "train/PNEUMONIA/b.jpeg": ""}
    assert source.read("train/PNEUMONIA/b.jpeg") == b"two"


def test_a_zip_at_an_fsspec_address_is_read_in_place(memory, zipped):
    archive = zipped([("train/NORMAL/a.jpeg", b"zipped")])
    memory.pipe("/set/archive.zip", Path(archive.address).read_bytes())

    assert ImageSource("memory://set/archive.zip").read("train/NORMAL/a.jpeg") == b"zipped"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("no/such/folder", r"There are no images at .*no/such/folder\. .*--params=images=PATH"),
        ("x" * 300, r"x cannot be read \(File name too long\)\. Fix the path or its permissions"),
        ("~nobody-of-this-name/xrays", r"^~nobody-of-this-name/xrays begins with a user who is not known here\. Name"),
        ("memory://no/such/folder", "cannot be reached"),
        ("gopher://x", "Protocol not known"),
    ],
)
def test_an_address_without_images_is_named_with_the_next_step(address, message):
    with pytest.raises(UserError, match=message):
        _ = ImageSource(address).listing


def test_a_link_that_leads_back_to_itself_is_no_place_of_images(tmp_path):
    (link := tmp_path / "images").symlink_to("images")

    with pytest.raises(UserError, match=rf"There are no images at {link}\. "):
        _ = ImageSource(str(link)).listing


@pytest.mark.skipif(find_spec("kagglehub") is not None, reason="kagglehub is installed and would download")
def test_kaggle_without_its_package_is_told_how_to_go_on():
    with pytest.raises(UserError, match=r'pip install -c constraints\.txt -e "\.\[kaggle\]"\..*--params=images=PATH'):
        _ = ImageSource("kaggle").listing


@pytest.mark.parametrize("error", [ConnectionError("no route"), RuntimeError("Session is closed"), KeyError("url")])
def test_whatever_kaggles_client_raises_is_told_in_a_sentence(monkeypatch, error):
    def dataset_download(name):
        raise error

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download, exceptions=None))
    with pytest.raises(UserError, match=r"could not be downloaded \(.+\)\. Or download the zip by hand"):
        _ = ImageSource("kaggle").listing


def test_an_empty_folder_is_named_with_the_layout_it_should_have(tmp_path):
    with pytest.raises(UserError, match="no image file .* train, val and test"):
        _ = ImageSource(str(tmp_path)).listing


def test_nothing_is_opened_before_it_is_asked_for():
    assert ImageSource("no/such/folder").address == "no/such/folder"


def test_a_file_that_went_away_cannot_be_read(folder):
    source = ImageSource(str(folder))
    assert len(source.listing.files) == 2
    (folder / "train/NORMAL/a.jpeg").unlink()

    with pytest.raises(LostError, match=r"train/NORMAL/a.jpeg cannot be read \(No such file"):
        source.read("train/NORMAL/a.jpeg")


def test_a_file_that_grew_since_it_was_listed_is_not_used(folder, without_pauses):
    source = ImageSource(str(folder))
    assert len(source.listing.files) == 2
    write(folder, "train/NORMAL/a.jpeg", data=b"more bytes")

    with pytest.raises(LostError, match="10 of 5 bytes came: it was cut short, or changed since it was listed"):
        source.read("train/NORMAL/a.jpeg")


def test_a_path_that_was_not_listed_cannot_be_read(folder):
    with pytest.raises(UnreadableError, match=r"no image \.\./secret"):
        ImageSource(str(folder)).read("../secret")


def test_a_side_file_is_read_and_a_missing_one_is_none(folder):
    write(folder, "groups.csv", data=b"path,group\n")
    source = ImageSource(str(folder))

    assert source.read_side_file("groups.csv") == b"path,group\n"
    assert source.read_side_file("lesions.csv") is None


@pytest.mark.skipif(os.name == "nt", reason="links and such names need POSIX")
def test_links_are_followed_except_in_circles(folder):
    write(folder.parent / "elsewhere", "c.jpeg", data=b"linked")
    normal = folder / "train/NORMAL"
    (normal / "inside").symlink_to(folder.parent / "elsewhere")
    (normal / "up").symlink_to(folder)
    (normal / "self.jpeg").symlink_to("self.jpeg")
    (normal / "lost.jpeg").symlink_to("nowhere")
    source = ImageSource(str(folder))

    assert source.read("train/NORMAL/inside/c.jpeg") == b"linked"
    found = problems(source)
    assert found["train/NORMAL/up"] == "link that leads back to a folder above it"
    assert found["train/NORMAL/self.jpeg"].startswith("link or file that cannot be followed: Too many levels")
    assert found["train/NORMAL/lost.jpeg"] == "link to a missing file"


@pytest.mark.skipif(os.name == "nt", reason="such names need POSIX")
def test_names_that_no_table_can_hold_are_shown_escaped(folder):
    for name in (b"\xff.jpeg", b"a\tb.jpeg"):
        (folder / "train/NORMAL" / os.fsdecode(name)).write_bytes(b"bytes")

    found = problems(ImageSource(str(folder)))
    assert found["train/NORMAL/\\xff.jpeg"] == "name that is not UTF-8"
    assert found["train/NORMAL/a\\tb.jpeg"] == "name with control characters"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes need POSIX")
def test_a_pipe_is_not_opened(folder):
    os.mkfifo(folder / "train/NORMAL/pipe.jpeg")

    assert problems(ImageSource(str(folder)))["train/NORMAL/pipe.jpeg"] == "not a regular file"


def test_the_stamp_of_a_file_changes_when_it_is_rewritten(folder):
    before = {member.name: member.stamp for member in open_storage(str(folder)).members()}
    os.utime(folder / "train/NORMAL/a.jpeg", ns=(1, 1))
    after = {member.name: member.stamp for member in open_storage(str(folder)).members()}

    assert before["test/PNEUMONIA/b.jpeg"] == after["test/PNEUMONIA/b.jpeg"]
    assert before["train/NORMAL/a.jpeg"] != after["train/NORMAL/a.jpeg"]


@pytest.mark.parametrize(("inode", "written", "changed"), [(8, 1, 1), (7, 2, 1), (7, 1, 2)])
def test_the_inode_or_a_time_alone_makes_another_stamp(inode, written, changed):
    def stamp(inode, written, changed):
        times = {"st_mtime_ns": written, "st_ctime_ns": changed}
        status = os.stat_result((stat.S_IFREG, inode, 1, 1, 0, 0, 5, 0, 0, 0), times)
        (member,) = FileStorage(SimpleNamespace(name="a.png", resolve=str, stat=lambda: status)).members()
        return member.stamp

    assert stamp(inode, written, changed) != stamp(7, 1, 1) == stamp(7, 1, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("is_zip", [False, True])
def test_a_closed_folder_or_zip_is_named_with_what_to_do(folder, zipped, is_zip):
    path = Path(zipped([("train/NORMAL/a.jpeg", b"bytes")]).address) if is_zip else folder
    path.chmod(0)
    try:
        with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)\. Fix the path or its permissions"):
            _ = ImageSource(str(path)).listing
    finally:
        path.chmod(0o700)


def test_images_without_labels_are_listed_wherever_they_lie(tmp_path):
    for name in ("b.png", "deep/er/a.JPG", "train/NORMAL/c.jpeg", "notes.txt", "._b.png", "__MACOSX/d.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")

    files = ImageSource(str(tmp_path)).unlabelled

    assert [file.path for file in files] == ["b.png", "deep/er/a.JPG", "train/NORMAL/c.jpeg"]
    assert {file.label for file in files} == {""}


def test_files_without_a_suffix_or_with_a_number_as_suffix_may_be_dicom_and_are_listed(tmp_path):
    images = ["1.2.840.10008.5.1", "DICOM/IM00001", "DICOM/series.1/CR.1.2.392"]
    others = [".DS_Store", ".hidden", ".hidden.1", "._IM00001", "Thumbs.db", "desktop.ini", "groups.csv", "labels.csv"]
    others += ["notes.txt", "__MACOSX/IM00001", ".git/HEAD", "archive.7z"]
    write(tmp_path, *images, *others)

    assert [file.path for file in ImageSource(str(tmp_path)).unlabelled] == images


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_an_address_may_be_one_image(tmp_path, prefix):
    (tmp_path / "one.png").write_bytes(b"content")
    source = ImageSource(f"{prefix}{tmp_path}/one.png")

    (file,) = source.unlabelled
    assert file.path == "one.png"
    assert source.read_file(file) == b"content"


def test_a_hostile_archive_member_is_listed_without_a_label_too(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../outside.png", b"x")
        archive.writestr("inside.png", b"x")

    problems = {file.path: file.problem for file in ImageSource(str(tmp_path / "evil.zip")).unlabelled}
    assert problems == {"../outside.png": "path that leads out of the archive (..)", "inside.png": ""}


@pytest.mark.skipif(os.name == "nt", reason="links need POSIX")
def test_a_tree_of_links_with_a_billion_paths_is_listed_at_once(folder):
    for level in range(30):
        (folder / f"level{level}").mkdir()
        for side in ("left", "right"):
            (folder / f"level{level}" / side).symlink_to(folder / f"level{level + 1}")

    found = problems(ImageSource(str(folder)))

    assert found["train/NORMAL/a.jpeg"] == ""
    assert list(found.values()).count("link to a folder that is listed already") == 58


@pytest.mark.skipif(os.name == "nt", reason="links need POSIX")
def test_a_folder_met_again_below_a_link_is_listed_once(folder):
    (folder / "train/NORMAL/up").symlink_to(folder.parent)

    assert problems(ImageSource(str(folder))) == {
        "test/PNEUMONIA/b.jpeg": "",
        "train/NORMAL/a.jpeg": "",
        f"train/NORMAL/up/{folder.name}": "folder that is listed already",
    }


def test_a_folder_with_more_files_than_any_set_has_is_refused_with_what_to_do(folder, monkeypatch):
    monkeypatch.setattr("pneumonia.images.folders.MOST_FILES", 2)
    assert len(ImageSource(str(folder)).listing.files) == 2
    write(folder, "train/NORMAL/c.jpeg")

    with pytest.raises(UserError, match=r"more than 2 files .*images\."):
        _ = ImageSource(str(folder)).listing


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_stops_the_run(folder):
    (folder / "test").chmod(0)
    try:
        with pytest.raises(UserError, match=r"test .*\(Permission denied\)"):
            _ = ImageSource(str(folder)).listing
    finally:
        (folder / "test").chmod(0o700)


def test_a_folder_that_goes_away_while_it_is_listed_stops_the_run(folder):
    members = open_storage(str(folder)).members()
    (folder / "train/NORMAL/a.jpeg").unlink()
    (folder / "train/NORMAL").rmdir()
    (folder / "train").rmdir()
    folder.rename(folder.with_name("moved"))

    with pytest.raises(UserError, match=r"\(No such file or directory\)"):
        list(members)


class Flaky(MemoryFileSystem):
    """A file system in memory whose calls fail in turn, each in a way of its own, until it has failed often enough."""

    protocol, cachable = "flaky", False
    ways, left, sizes_known = (), 0, True

    def _fail(self):
        if Flaky.left > 0:
            Flaky.left -= 1
            way = Flaky.ways[Flaky.left % len(Flaky.ways)]
            if way == "silence":
                threading.Event().wait()
            if way != "short":
                raise way
            return True
        return False

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("flaky:/"))

    def ls(self, path, detail=True, **kwargs):
        self._fail()
        found = super().ls(path, detail, **kwargs)
        return found if Flaky.sizes_known or not detail else [{**info, "size": None} for info in found]

    def info(self, path, **kwargs):
        if FAILURES["a path without a reason"] not in Flaky.ways:  # from here, it is the answer of an empty place
            self._fail()
        return super().info(path, **kwargs)

    def cat_file(self, path, start=None, end=None, **kwargs):
        is_short, content = self._fail(), super().cat_file(path, start, end, **kwargs)
        return content[: len(content) // 2] if is_short else content

    def _open(self, path, mode="rb", **kwargs):
        self._fail()
        return FlakyFile(self, super()._open(path, mode, **kwargs).getvalue())


class FlakyFile(io.BytesIO):
    def __init__(self, file_system, content):
        super().__init__(content)
        self._file_system = file_system

    def read(self, size=-1):
        is_short, content = self._file_system._fail(), super().read(size)
        return content[: len(content) // 2] if is_short else content


class ClientError(Exception):
    """What no built-in error is the parent of."""


FAILURES = {
    "timeout": FSTimeoutError(),
    "timeout of the system": TimeoutError(errno.ETIMEDOUT, "Connection timed out"),
    "short read": "short",
    "forbidden": PermissionError("Forbidden"),
    "a path without a reason": FileNotFoundError("set/train/NORMAL/1.png"),
    "client": ClientError("An error occurred (SlowDown) when calling https://host/set?X-Amz-Signature=SECRET"),
    "end of stream": EOFError("connection closed"),
    "runtime": RuntimeError("Session is closed"),
    "not JSON": ValueError("Expecting value: line 1"),
    "cancelled": asyncio.CancelledError(),
    "a number of TLS": ssl.SSLError(ssl.SSL_ERROR_SSL, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC]"),
}


@pytest.fixture
def without_pauses(monkeypatch):
    monkeypatch.setattr("pneumonia.images.patience.PAUSES", (0, 0, 0))


@pytest.fixture
def flaky(without_pauses, tmp_path):
    """Give the address of images, bare or in archives, on a file system that can be told to fail."""
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    Flaky.left, Flaky.sizes_known = 0, True
    images = {f"train/{label}/{n}.png": noise(n) for label in ("NORMAL", "PNEUMONIA") for n in range(3)}
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive, tarfile.open(fileobj=tarred, mode="w:gz") as other:
        for name, data in images.items():
            archive.writestr(name, data)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            other.addfile(info, io.BytesIO(data))
    rows = [
        {"image": {"bytes": data, "path": f"{number}.png"}, "label": int("PNEUMONIA" in name)}
        for number, (name, data) in enumerate(images.items())
    ]
    memory = fsspec.filesystem("memory")
    for name, data in images.items():
        memory.pipe(f"/set/{name}", data)
    memory.pipe("/zip/a.zip", zipped.getvalue())
    memory.pipe("/tar/a.tgz", tarred.getvalue())
    memory.pipe("/parquet/a.parquet", parquet(rows, NAMED, row_group_size=2))
    yield {
        "bare": "flaky://set", "zip": "flaky://zip/a.zip", "folder of zips": "flaky://zip", "tar": "flaky://tar/a.tgz",
        "parquet": "flaky://parquet/a.parquet",
    }  # fmt: skip
    for name in ("set", "zip", "tar", "parquet"):
        memory.rm(f"/{name}", recursive=True)
    Flaky.left = 0


def noise(seed):
    return encode(Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 40), np.uint8)), "PNG")


PLACES = ("bare", "zip", "folder of zips", "tar", "parquet")


@pytest.fixture
def examine(tmp_path, default_parameters):
    """Examine the images at an address; the rest of the failures happens while they are read."""
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    count = itertools.count()

    def call(address, listed_with=0, read_with=0):
        Flaky.left = listed_with
        source = ImageSource(address)
        _ = source.listing
        Flaky.left = read_with
        return examine_files(source, IndexCache(tmp_path / f"cache{next(count)}"), ingest)

    return call


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_connection_that_recovers_changes_nothing(flaky, examine, monkeypatch, place, failure):
    undisturbed = examine(flaky[place])
    assert len({facts.sha256 for facts in undisturbed.values()}) == 3
    assert not any(facts.problem for facts in undisturbed.values())

    monkeypatch.setattr(Flaky, "ways", (FAILURES[failure],))
    assert examine(flaky[place], listed_with=3, read_with=3) == undisturbed


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_connection_that_does_not_stops_the_run_in_a_sentence(flaky, examine, monkeypatch, place, failure):
    monkeypatch.setattr(Flaky, "ways", (FAILURES[failure],))

    if (place, failure) != ("bare", "short read"):  # a list of names has no length that is known before
        with pytest.raises(UserError, match=r"cannot be re(ad|ached) \(.+\)") as listed:
            examine(flaky[place], listed_with=10**6)
        assert "SECRET" not in str(listed.value)
    if place not in ("tar", "parquet"):  # read whole, or held in memory, when listed
        with pytest.raises(UserError, match="may be intact, so it is not counted as bad"):
            examine(flaky[place], read_with=10**6)


def test_a_server_that_never_answers_is_asked_again_and_then_ends_the_run(flaky, examine, monkeypatch):
    undisturbed = examine(flaky["bare"])
    monkeypatch.setattr(Flaky, "ways", ("silence",))
    monkeypatch.setattr("pneumonia.images.patience.ANSWER", 0.5)

    assert examine(flaky["bare"], listed_with=1, read_with=1) == undisturbed
    with pytest.raises(UserError, match=r"cannot be reached \(no answer within 0.5 seconds\)"):
        examine(flaky["bare"], listed_with=10**6)


def test_a_folder_that_cannot_be_listed_is_not_left_out(flaky, examine, monkeypatch):
    def ls(self, path, detail=True, **kwargs):
        if "PNEUMONIA" in path:
            raise OSError("Service Unavailable")
        return MemoryFileSystem.ls(self, path, detail, **kwargs)

    monkeypatch.setattr(Flaky, "ls", ls)
    with pytest.raises(LostError, match=r"set/train/PNEUMONIA cannot be read \(Service Unavailable\)"):
        examine(flaky["bare"])


def test_a_listing_without_sizes_is_read(flaky, examine, monkeypatch):
    undisturbed = examine(flaky["bare"])

    monkeypatch.setattr(Flaky, "sizes_known", False)
    assert examine(flaky["bare"]) == undisturbed
    monkeypatch.setattr(Flaky, "size", lambda self, path: None)
    assert examine(flaky["bare"]) == undisturbed


def test_what_a_listing_does_not_call_a_folder_is_a_file(flaky, examine, monkeypatch):
    def ls(self, path, detail=True, **kwargs):
        found = MemoryFileSystem.ls(self, path, detail, **kwargs)
        return [{key: info[key] for key in info if (key, info[key]) != ("type", "file")} for info in found]

    undisturbed = examine(flaky["bare"])
    monkeypatch.setattr(Flaky, "ls", ls)
    assert examine(flaky["bare"]) == undisturbed


def test_a_damaged_member_of_a_zip_that_was_read_whole_is_a_bad_image(flaky, examine):
    memory = fsspec.filesystem("memory")
    content = bytearray(memory.cat_file("/zip/a.zip"))
    content[200:210] = bytes(10)
    memory.pipe("/zip/a.zip", bytes(content))

    problems = {path: facts.problem for path, facts in examine(flaky["zip"]).items() if facts.problem}
    assert list(problems) == ["train/NORMAL/0.png"]
    assert "Bad CRC-32" in problems["train/NORMAL/0.png"]


def test_the_pixels_and_the_prediction_of_a_lost_image_are_not_passed_over(flaky, monkeypatch):
    source = ImageSource(flaky["bare"])
    items = items_of(source)
    assert len(source.listing.files) == len(items) == 6
    monkeypatch.setattr(Flaky, "ways", (ClientError("gone"),))
    Flaky.left = 10**6
    request = PixelRequest(("train/NORMAL/0.png",), ("0" * 64,), 32, "pad", source.read)

    for read in (
        lambda: list(read_in_chunks(items, ReadingSettings(32, "pad"))),
        lambda: with_ranges(items, ReadingSettings(32, "pad")),
        lambda: list(decode_all(request, [*request.images.values()], print)),
    ):
        with pytest.raises(LostError, match="gone"):
            read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_stops_the_run(folder, examine):
    (folder / "train/NORMAL/a.jpeg").chmod(0)
    with pytest.raises(LostError, match=r"a\.jpeg cannot be read \(Permission denied\)"):
        examine(str(folder))


@pytest.mark.parametrize("address", ["gopher://KEY:SECRET@bucket/set", "https://host.invalid/set?Signature=SECRET"])
def test_keys_and_signatures_are_not_shown(address):
    source = ImageSource(address)

    with pytest.raises(UserError) as error:
        _ = source.listing
    assert "SECRET" not in f"{source!r} {source.address} {error.value}"
    assert "***" in source.address


@pytest.mark.parametrize("root", ["KEY:SECRET@bucket/set", "set?X-Amz-Signature=SECRET"])
def test_keys_and_signatures_are_in_no_cache(tmp_path, monkeypatch, default_parameters, root):
    monkeypatch.setattr("pneumonia.images.storage._STAMP_KEYS", ("created",))  # memory:// reports only this
    file_system = fsspec.filesystem("memory")
    file_system.pipe(f"/{root}/train/NORMAL/a.jpeg", b"one")
    source = ImageSource(f"memory://{root}")
    try:
        examine_files(
            source,
            IndexCache(tmp_path / "cache.sqlite"),
            IngestParameters.model_validate(default_parameters["ingest"]),
        )
    finally:
        file_system.rm(f"/{root.split('/')[0]}", recursive=True)

    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"train/NORMAL/a.jpeg" in written
    assert b"SECRET" not in written


@pytest.mark.parametrize(
    "read", [lambda source: source.read_side_file("groups.csv"), lambda source: source.read_table("groups.csv")]
)
def test_a_table_that_is_larger_than_any_is_not_read(tmp_path, monkeypatch, read):
    monkeypatch.setattr("pneumonia.images.source.MAX_TABLE_BYTES", 10_000_000)
    for name in ("train/NORMAL/a.png", "train/PNEUMONIA/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    with (tmp_path / "groups.csv").open("wb") as file:
        file.truncate(20_000_000)

    with pytest.raises(UserError, match=r"groups\.csv .*20 MB.* 10 MB"):
        read(ImageSource(str(tmp_path)))
