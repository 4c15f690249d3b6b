import hashlib
import io
import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image
from tests.base.test_files import WRONG

from pneumonia.base.errors import UserError
from pneumonia.base.files import sha256_of_file
from pneumonia.pixels import request as pixel_request
from pneumonia.pixels import store as pixel_store
from pneumonia.pixels.decoding import decode_image
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores, pixel_keys

SIZE = 32


class Files:
    """Images by path, counting how often they are read."""

    def __init__(self, names):
        self.contents = {f"{name}.png": self._png(name) for name in names}
        self.read_paths = []

    @staticmethod
    def _png(name):
        content = io.BytesIO()
        rng = np.random.default_rng(list(str(name).encode()))
        Image.fromarray(rng.integers(0, 256, (40, 48), dtype=np.uint8)).save(content, "PNG")
        return content.getvalue()

    def read(self, path):
        self.read_paths.append(path)
        return self.contents[path]

    @property
    def sha256s(self):
        return [hashlib.sha256(content).hexdigest() for content in self.contents.values()]

    def request(self, resize="squeeze"):
        return PixelRequest(tuple(self.contents), tuple(self.sha256s), SIZE, resize, self.read)


@pytest.fixture
def stores(tmp_path):
    return PixelStores(tmp_path / "pixels")


@pytest.fixture
def filled(stores):
    stores.fill(Files("abcde").request())
    return stores


def part_of(stores, suffix=".u8"):
    (path,) = stores.folder_of(SIZE, "squeeze").glob(f"[!.]*{suffix}")
    return path


def test_stored_pixels_are_those_of_the_image_decoded_alone(stores):
    files = Files("abcde")
    stores.fill(files.request("pad"))
    store = stores.open(SIZE, "pad")

    alone = [decode_image(content, SIZE, "pad") for content in files.contents.values()]
    assert np.array_equal(store.read(store.rows(files.sha256s))[..., 0], alone)


def test_images_are_read_in_any_order_and_more_than_once(filled):
    files, store = Files("abcde"), filled.open(SIZE, "squeeze")
    rows = store.rows(files.sha256s)
    images = store.read(rows)

    assert np.array_equal(store.read(rows[[4, 0, 0, 2]]), images[[4, 0, 0, 2]])
    assert store.read(rows[:0]).shape == (0, SIZE, SIZE, 1)


def test_the_store_knows_its_size_and_number(filled):
    store = filled.open(SIZE, "squeeze")

    assert (len(store), store.image_size, store.record_bytes) == (5, 32, 1024)


def test_what_is_stored_is_not_read_again(filled):
    files = Files("abcde")
    filled.fill(files.request())

    assert files.read_paths == []


def test_only_new_images_are_read_and_old_ones_stay(filled):
    files = Files("axbycz")
    before = part_of(filled).stat().st_ino
    filled.fill(files.request())
    store = filled.open(SIZE, "squeeze")

    assert sorted(files.read_paths) == ["x.png", "y.png", "z.png"]
    assert len(store) == 8
    assert before in [path.stat().st_ino for path in store.folder.glob("*.u8")]
    alone = [decode_image(content, SIZE, "squeeze") for content in files.contents.values()]
    assert np.array_equal(store.read(store.rows(files.sha256s))[..., 0], alone)


def test_an_image_listed_twice_is_stored_once(stores):
    files = Files("ab")
    files.contents["copy.png"] = files.contents["a.png"]
    stores.fill(files.request())

    assert len(stores.open(SIZE, "squeeze")) == 2


def test_many_images_are_stored_in_several_parts(stores, monkeypatch):
    monkeypatch.setattr(pixel_store, "PART_IMAGES", 3)
    monkeypatch.setattr(pixel_request, "CHUNK_IMAGES", 2)
    files = Files("abcdefgh")
    stores.fill(files.request())
    store = stores.open(SIZE, "squeeze")

    assert len(list(store.folder.glob("*.u8"))) == 3
    alone = [decode_image(content, SIZE, "squeeze") for content in files.contents.values()]
    assert np.array_equal(store.read(store.rows(files.sha256s))[..., 0], alone)


def test_each_size_and_resize_method_has_a_store_of_its_own(filled):
    filled.fill(Files("abcde").request("crop"))

    assert filled.open(SIZE, "crop").fingerprint != filled.open(SIZE, "squeeze").fingerprint
    with pytest.raises(UserError, match="no pixels in .*32-pad-.*kedro run --pipelines=inputs"):
        filled.open(SIZE, "pad")


def test_images_that_are_not_stored_are_counted_in_the_error(filled):
    with pytest.raises(UserError, match="lacks 2 of 4 images"):
        filled.open(SIZE, "squeeze").rows(Files("abxy").sha256s)


def delete(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\0")


def flip_first_byte(path):
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def flip_middle_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = [(".u8", change) for change in (delete, cut, lengthen, flip_first_byte, flip_middle_byte)]
DAMAGES += [(".json", change) for change in (cut, flip_first_byte, flip_middle_byte)]


@pytest.mark.parametrize(("suffix", "damage"), DAMAGES)
def test_a_damaged_part_is_named_and_not_opened(filled, suffix, damage):
    path = part_of(filled, suffix)
    damage(path)

    with pytest.raises(UserError, match=f"{path.stem}.*kedro run --pipelines=inputs"):
        filled.open(SIZE, "squeeze")


@pytest.mark.parametrize(("suffix", "damage"), [*DAMAGES, (".json", delete)])
def test_a_damaged_part_is_made_again(filled, suffix, damage):
    files = Files("abcde")
    before = part_of(filled).read_bytes()
    damage(part_of(filled, suffix))
    filled.fill(files.request())

    assert sorted(files.read_paths) == sorted(files.contents)
    assert part_of(filled).read_bytes() == before
    assert len(filled.open(SIZE, "squeeze")) == 5


def test_every_flipped_byte_of_a_description_is_noticed(filled):
    path = part_of(filled, ".json")
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(UserError, match=path.stem):
            filled.open(SIZE, "squeeze")


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("suffix", [".json", ".u8", ""])
def test_what_is_in_the_place_of_a_part_or_a_store_is_named(filled, suffix, make):
    if not suffix and make is Path.mkdir:
        pytest.skip("an empty folder is a store")
    path = part_of(filled, suffix) if suffix else filled.folder_of(SIZE, "squeeze")
    path.rename(filled.folder.parent / "moved")
    make(path)

    for use in (lambda: filled.open(SIZE, "squeeze"), lambda: filled.fill(Files("abcde").request())):
        with pytest.raises((UserError, OSError), match=f"{path}"):
            use()


def test_a_part_without_description_does_not_count(filled):
    part_of(filled, ".json").unlink()

    with pytest.raises(UserError, match="no pixels"):
        filled.open(SIZE, "squeeze")


def test_making_a_damaged_part_again_is_logged(filled, caplog):
    path = part_of(filled)
    cut(path)
    with caplog.at_level(logging.WARNING):
        filled.fill(Files("abcde").request())

    assert caplog.messages == [f"{path} does not hold 5 images of 1024 bytes. It is made again."]


def test_a_part_cut_while_open_is_named(filled):
    store = filled.open(SIZE, "squeeze")
    cut(part_of(filled))

    with pytest.raises(UserError, match="was truncated after it was opened"):
        store.read(np.arange(5))


def test_images_that_cannot_be_decoded_are_all_counted(stores):
    files = Files("abcde")
    files.contents["b.png"] = b"no image"
    files.contents["d.png"] = files.contents["d.png"][:300]

    with pytest.raises(UserError, match=r"^2 images .*b\.png: .* d\.png:"):
        stores.fill(files.request())
    assert list(stores.folder_of(SIZE, "squeeze").glob("*.u8")) == []


def test_an_image_that_changed_since_it_was_listed_is_refused(stores):
    files = Files("abc")
    request = files.request()
    files.contents["b.png"] = files.contents["a.png"]

    with pytest.raises(UserError, match=r"b\.png: It was changed since"):
        stores.fill(request)


def test_an_image_that_cannot_be_read_is_named(stores):
    def read(path):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(UserError, match=r"a\.png: It cannot be read .*Permission denied"):
        stores.fill(PixelRequest(("a.png",), ("0" * 64,), SIZE, "squeeze", read))


def test_finished_parts_outlive_a_failure(stores, monkeypatch):
    monkeypatch.setattr(pixel_store, "PART_IMAGES", 2)
    files = Files("abcd")
    files.contents["d.png"] = b"no image"
    with pytest.raises(UserError, match=r"d\.png"):
        stores.fill(files.request())

    assert len(stores.open(SIZE, "squeeze")) == 2


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(stores):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * SIZE * SIZE, limits[1]))
    try:
        with pytest.raises(UserError, match=r"Could not write .*\.u8: File too large"):
            stores.fill(Files("abcde").request())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [path.name for path in stores.folder_of(SIZE, "squeeze").iterdir()] == [".lock"]
    stores.fill(Files("abcde").request())
    assert len(stores.open(SIZE, "squeeze")) == 5


KILLED_RUN = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from test_store import Files
    from pneumonia.pixels import request as pixel_request, store as pixel_store
    pixel_store.PART_IMAGES, pixel_request.CHUNK_IMAGES = 4, 1
    files = Files("abcdefgh")
    def read(path):
        if path == "g.png":
            print("in the second part", flush=True)
            time.sleep(60)
        return files.contents[path]
    request = files.request()
    pixel_store.PixelStores(Path(sys.argv[1])).fill(
        pixel_request.PixelRequest(request.paths, request.sha256s, 32, "squeeze", read)
    )
"""


def test_a_killed_run_leaves_whole_parts_alone_and_the_next_one_goes_on(stores, request):
    script = [sys.executable, "-c", textwrap.dedent(KILLED_RUN), str(stores.folder), str(request.path.parent)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "in the second part\n"
        run.send_signal(signal.SIGKILL)
    folder = stores.folder_of(SIZE, "squeeze")
    assert len(list(folder.glob(".*.u8"))) == 1
    assert len(stores.open(SIZE, "squeeze")) == 4

    files = Files("abcdefgh")
    stores.fill(files.request())
    assert sorted(files.read_paths) == ["e.png", "f.png", "g.png", "h.png"]
    assert list(folder.glob(".*.u8")) == []
    assert len(stores.open(SIZE, "squeeze")) == 8


def test_two_threads_that_want_the_same_store_decode_once(stores):
    both = [Files("abcdefgh"), Files("abcdefgh")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda files: stores.fill(files.request()), both))

    assert len(both[0].read_paths) + len(both[1].read_paths) == 8
    assert len(stores.open(SIZE, "squeeze")) == 8


FILLING_RUN = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from test_store import Files
    from pneumonia.pixels.store import PixelStores
    files = Files(range(50))
    PixelStores(Path(sys.argv[1])).fill(files.request())
    print(len(files.read_paths))
"""


def test_two_processes_that_want_the_same_store_decode_once(stores, request):
    script = [
        sys.executable,
        "-c",
        textwrap.dedent(FILLING_RUN),
        str(stores.folder),
        str(request.path.parent),
    ]
    runs = [subprocess.Popen(script, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    assert sorted(int(run.communicate()[0]) for run in runs) == [0, 50]
    assert len(stores.open(SIZE, "squeeze")) == 50


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "pixels").write_text("a file")

    with pytest.raises(UserError, match="Could not write to .*pixels"):
        PixelStores(tmp_path / "pixels").fill(Files("a").request())


def test_a_lock_that_nobody_gives_back_is_not_waited_for_without_end(stores, monkeypatch):
    monkeypatch.setattr("pneumonia.base.files.LONGEST_WAIT", 0.1)
    folder = stores.folder_of(SIZE, "squeeze")
    folder.mkdir(parents=True)

    with FileLock(folder / ".lock"), pytest.raises(UserError, match=r"remove .*\.lock and run again"):
        stores.fill(Files("a").request())


def test_what_was_checked_is_not_read_again_until_it_changes(stores, monkeypatch):
    stores.fill(Files("abcde").request())
    read = []
    monkeypatch.setattr(pixel_store.files, "sha256_of_file", lambda path: read.append(path) or sha256_of_file(path))

    for _ in range(3):
        stores.open(SIZE, "squeeze")
    (part,) = read
    os.utime(part, ns=(1, 1))
    stores.open(SIZE, "squeeze")

    assert read == [part, part]


def test_a_byte_that_changes_after_the_check_is_noticed(stores):
    stores.fill(Files("abcde").request())
    stores.open(SIZE, "squeeze")
    (part,) = stores.folder_of(SIZE, "squeeze").glob("*.u8")
    damaged = bytearray(part.read_bytes())
    damaged[7] ^= 1
    part.write_bytes(damaged)

    with pytest.raises(UserError, match="was changed since it was written"):
        stores.open(SIZE, "squeeze")


def test_pixels_are_named_by_the_hash_alone_where_the_file_says_its_range():
    images = pd.DataFrame({"sha256": ["ab", "cd"], "bits": [0, 12]})

    assert pixel_keys(images).tolist() == ["ab", "cd-r2-12"]
    assert pixel_keys(images[["sha256"]]).tolist() == ["ab", "cd"]
