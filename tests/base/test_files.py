import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.files import (
    ABANDONED_AFTER,
    PART,
    checksum_path,
    find_entries,
    find_leftovers,
    find_versions,
    read_as_written,
    read_record,
    regular,
    whole_file,
    write_whole,
    write_whole_folder,
    write_with_checksum,
)

# What may be in the place of a file.
WRONG = {
    "a folder": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("gone"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to(os.devnull),
}


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    write_whole(path, b"one")
    write_whole(path, b"two")

    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_an_error_while_writing_leaves_the_former_file(tmp_path):
    path = tmp_path / "file.txt"
    write_whole(path, b"one")

    with pytest.raises(ValueError, match="meanwhile"), whole_file(path) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise ValueError("meanwhile")
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_a_full_disk_is_named_with_the_file(tmp_path):
    with (
        pytest.raises(UserError, match=r"Could not write .*file\.txt: No space left"),
        whole_file(tmp_path / "file.txt"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_with_all_its_files(tmp_path):
    write_whole_folder(tmp_path / "version" / "folder", {"a.txt": b"one", "deep/er/b.txt": b"two"})

    assert (tmp_path / "version/folder/a.txt").read_bytes() == b"one"
    assert (tmp_path / "version/folder/deep/er/b.txt").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "version").iterdir()] == ["folder"]
    assert os.access(tmp_path / "version/folder", os.X_OK)


def test_of_a_folder_that_cannot_be_written_nothing_is_left(tmp_path):
    with pytest.raises(UserError, match=r"Could not write .*a\.txt/b"):
        write_whole_folder(tmp_path / "folder", {"a.txt": b"one", "a.txt/b": b"two"})
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_the_former_file(tmp_path):
    path = tmp_path / "file.txt"
    write_whole(path, b"one")
    code = (
        "import sys, time; from pathlib import Path; from pneumonia.base.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(b'half'); print('writing', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    assert path.read_bytes() == b"one"
    assert find_leftovers(tmp_path) == []  # a process may still be writing it
    (part,) = (left for left in tmp_path.iterdir() if left != path)
    make_old(part)
    assert find_leftovers(tmp_path.parent) == [part]


def make_old(*paths):
    """Date files and folders back just far enough to count as abandoned."""
    for path in paths:
        os.utime(path, (time.time() - ABANDONED_AFTER - 1,) * 2)


def test_of_a_folder_that_was_not_finished_the_newest_file_counts(tmp_path):
    folder = tmp_path / "version" / f"{PART}folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/file").write_bytes(b"half")
    make_old(folder, folder / "deep")
    assert find_leftovers(tmp_path) == []

    make_old(folder / "deep/file")
    assert find_leftovers(tmp_path) == [folder]


def test_files_of_other_names_are_nobodys_leftovers(tmp_path):
    for name in (".hidden", ".file-abcdefgh.txt", "pneumonia-part-a"):
        (tmp_path / name).write_bytes(b"mine")
        make_old(tmp_path / name)

    assert find_leftovers(tmp_path) == []


@pytest.fixture
def synced(monkeypatch):
    """For each thing that is synced, whether it is a folder and whether it is open for writing."""
    synced = []

    def fsync(descriptor):
        is_writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), is_writable))

    monkeypatch.setattr(os, "fsync", fsync)
    return synced


def test_the_file_is_synced_while_open_for_writing_and_then_its_folder(tmp_path, synced):
    write_whole(tmp_path / "file.txt", b"one")

    assert synced == [(False, True), (True, False)]


def test_a_file_system_that_cannot_sync_folders_is_good_enough(tmp_path, monkeypatch):
    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "file.txt", b"one")

    assert (tmp_path / "file.txt").read_bytes() == b"one"


def test_a_file_that_is_finished_while_leftovers_are_listed_is_none_of_them(tmp_path):
    (tmp_path / f"{PART}gone").symlink_to(tmp_path / "renamed meanwhile")

    assert find_leftovers(tmp_path) == []


@pytest.fixture
def written(tmp_path):
    write_with_checksum(tmp_path / "a.csv", b"1")
    return tmp_path / "a.csv"


def test_a_file_as_it_was_written_passes(written):
    assert read_as_written(written) == b"1"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"0" * 64, b"6b86b2"])
def test_a_checksum_that_is_none_is_refused(written, content):
    checksum_path(written).write_bytes(content)
    with pytest.raises(UserError, match=r"a\.csv has changed since it was written"):
        read_as_written(written)


def test_a_file_without_checksum_is_refused_with_the_way_out(written):
    checksum_path(written).unlink()
    with pytest.raises(UserError, match=r"sha256sum a\.csv > a\.csv\.sha256"):
        read_as_written(written, needs_checksum=True)


def test_a_file_of_an_older_release_without_checksum_is_said_to_be_unchecked(written, caplog):
    checksum_path(written).unlink()

    assert read_record(written) == 1
    assert f"{written} has no checksum: an older release wrote it, or it was removed." in caplog.text


NEWEST, OLDER = "2026-01-02T00.00.00.000Z", "2026-01-01T00.00.00.000Z"


def test_only_what_has_the_form_of_a_version_is_one(tmp_path):
    place = tmp_path / "a[1]*?" / "metrics.json"
    for name in (OLDER, NEWEST, "backup of metrics", f"{NEWEST} (copy)", "2026-01-03", ".hidden", f"{PART}x"):
        (place / name).mkdir(parents=True)
        (place / name / "metrics.json").write_bytes(b"{}")
    (place / "2026-01-05T00.00.00.000Z").mkdir()  # of a killed run
    (place / "2026-01-04T00.00.00.000Z").write_bytes(b"")

    with pytest.raises(NotADirectoryError):
        find_versions(place)
    (place / "2026-01-04T00.00.00.000Z").unlink()
    assert find_versions(place) == {NEWEST: place / NEWEST / "metrics.json", OLDER: place / OLDER / "metrics.json"}
    assert find_versions(tmp_path / "none") == {}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_what_is_of_a_wrong_kind_is_neither_missing_nor_read(tmp_path, make):
    path = tmp_path / NEWEST / tmp_path.name
    path.parent.mkdir()
    make(path)

    assert list(find_versions(tmp_path)) == [NEWEST]
    with pytest.raises(OSError, match=f"{path}"):
        regular(path)


@pytest.mark.parametrize("make", [make for name, make in WRONG.items() if name != "a folder"])
def test_what_is_no_folder_is_not_taken_for_an_empty_one(tmp_path, make):
    make(tmp_path / "place")

    for below in ("place", "place/deeper"):
        with pytest.raises(OSError, match=f"{tmp_path}/place"):
            find_entries(tmp_path / below)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "place" / NEWEST).mkdir(parents=True)
    for closed in (tmp_path / "place" / NEWEST, tmp_path / "place"):
        closed.chmod(0)
        with pytest.raises(PermissionError):
            find_versions(tmp_path / "place")
    (tmp_path / "place").chmod(0o700)


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_what_is_in_the_way_is_named_and_no_space_is_asked_for(tmp_path, make):
    make(tmp_path / "place")
    with pytest.raises(UserError, match=r"place.*(Move away what is in its place|remove the link|Remove the link)"):
        write_whole(tmp_path / "place" / "deeper" / "file" if make is not Path.mkdir else tmp_path / "place", b"")
