"""Every kind of bad input gets a row with its reason, and the run goes on."""

import os
import stat
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, pipes and such names need POSIX")


def _png(width, height, depth, colour_type, data=b""):
    """A PNG with a header of its own making; Pillow writes neither bombs nor 16 bits in three channels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


# File name: beginning of the reason. The files are made below.
IN_FOLDER = {
    "empty.jpeg": "empty file",
    "cut in half.jpeg": "truncated",
    "without its last two bytes.jpeg": "truncated: its end is missing",
    "cut, end put back.jpeg": "truncated: image data ends before the image does",
    "progressive, cut.jpeg": "truncated",
    "header alone.jpeg": "truncated",
    "text.jpeg": "text, not an image",
    "web page.jpeg": "text, not an image",
    "drawing.jpeg": "text, not an image",
    "random bytes.jpeg": "not an image",
    "document.jpeg": "not an image",
    "zip.jpeg": "not an image",
    "dicom.dcm": "no pixel data",
    "notes.txt": "text, not an image",
    "cmyk.jpeg": "colour mode CMYK",
    "16-bit colour.png": "16 bits in several channels",
    "32-bit too bright.tiff": "values from",
    "floating point.tiff": "colour mode F",
    "one bit.png": "colour mode 1",
    "lab.tiff": "colour mode LAB",
    "alpha.png": "transparency",
    "grey with alpha.png": "transparency",
    "palette with a transparent colour.png": "transparency",
    "alpha.webp": "transparency",
    "animated.gif": "animated",
    "animated.png": "animated",
    "animated.webp": "animated",
    "pages.tiff": "animated",
    "1x1.jpeg": "too small: 1 x 1 pixels",
    "strip.jpeg": "too small: 400 x 31 pixels",
    "bomb.png": "more than 50,000,000 pixels",
    "bomb that Pillow knows.png": "more than 50,000,000 pixels",
    "size without data.png": "truncated",
    "cut.png": "truncated",
    "without its last chunk.png": "truncated: its end is missing",
    "wrong checksum.png": "damaged",
    "cut.gif": "truncated",
    "cut.bmp": "truncated",
    "large.jpeg": "more than 100,000 bytes",
    "loop.jpeg": "link or file that cannot be followed",
    "loop": "link that leads back to a folder above it",
    "lost.jpeg": "link to a file that is not there",
    "pipe.jpeg": "not a regular file",
    "\\xff.jpeg": "name that is not UTF-8",
    "line\\nbreak.jpeg": "name with control characters",
}
ELSEWHERE = {
    "train/COVID/a.jpeg": "unknown class COVID: class_names are NORMAL and PNEUMONIA",
    "train/loose.jpeg": "not in a class folder",
    "copy/train/NORMAL/other.jpeg": "not in a class folder",
}
ACCEPTED = {
    "png.jpeg": "PNG content in a .jpeg file",
    "no suffix": "JPEG content in a nameless file",
    "palette.png": "palette",
    "turned.jpeg": "turned by its EXIF orientation",
    "colour.jpeg": "",
    "grey.tiff": "",
    "16-bit grey.png": "",
    "16-bit.tiff": "",
    "32-bit.tiff": "",
    "orientation 99.jpeg": "",
    "blank.jpeg": "blank: one grey level",
    "followed.jpeg": "",
}


def _make(image, encode):
    """Return the files of `IN_FOLDER` and `ACCEPTED` that are plain files."""
    jpeg, png, gif = encode(image, quality=95), encode(image, "PNG"), encode(image, "GIF")
    other = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rgba = Image.merge("RGBA", [image, image, image, other])
    deep = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 8
    odd = Image.Exif()
    odd[0x0112] = 99
    both = {"save_all": True, "append_images": [other]}
    return {
        "empty.jpeg": b"",
        "cut in half.jpeg": jpeg[: len(jpeg) // 2],
        "without its last two bytes.jpeg": jpeg[:-2],
        "cut, end put back.jpeg": encode(image.resize((640, 512)), quality=95)[:20_000] + b"\xff\xd9",
        "progressive, cut.jpeg": encode(image, quality=95, progressive=True)[:-300],
        "header alone.jpeg": jpeg[:300],
        "text.jpeg": b"no image here\n",
        "web page.jpeg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "drawing.jpeg": b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"></svg>',
        "random bytes.jpeg": np.random.default_rng(9).bytes(5000),
        "document.jpeg": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n\0",
        "zip.jpeg": b"PK\x05\x06" + bytes(18),
        "dicom.dcm": bytes(128) + b"DICM" + bytes(200),
        "notes.txt": b"remember the milk",
        "cmyk.jpeg": encode(image.convert("CMYK")),
        "16-bit grey.png": encode(deep, "PNG"),
        "16-bit colour.png": _png(64, 64, 16, 2, (b"\0" + bytes(range(192)) * 2) * 64),
        "16-bit.tiff": encode(Image.fromarray(np.asarray(deep)[::-1].copy()), "TIFF"),
        "32-bit.tiff": encode(image.rotate(90).convert("I"), "TIFF"),
        "32-bit too bright.tiff": encode(
            Image.fromarray(np.arange(4096).reshape(64, 64).astype(np.int32) * 4097), "TIFF"
        ),
        "blank.jpeg": encode(Image.new("L", (64, 64), 90)),
        "orientation 99.jpeg": encode(image, exif=odd),
        "floating point.tiff": encode(image.convert("F"), "TIFF"),
        "one bit.png": encode(image.convert("1"), "PNG"),
        "lab.tiff": encode(Image.merge("LAB", [image, image, image]), "TIFF"),
        "alpha.png": encode(rgba, "PNG"),
        "grey with alpha.png": encode(Image.merge("LA", [image, other]), "PNG"),
        "palette with a transparent colour.png": encode(image.convert("P"), "PNG", transparency=0),
        "alpha.webp": encode(rgba, "WEBP"),
        "animated.gif": encode(image, "GIF", **both),
        "animated.png": encode(image, "PNG", **both),
        "animated.webp": encode(image, "WEBP", **both),
        "pages.tiff": encode(image, "TIFF", **both),
        "1x1.jpeg": encode(image.resize((1, 1))),
        "strip.jpeg": encode(image.resize((400, 31))),
        "bomb.png": _png(10_000, 5_001, 8, 0),
        "bomb that Pillow knows.png": _png(60_000, 60_000, 8, 0),
        "size without data.png": _png(64, 64, 8, 0),
        "cut.png": png[: len(png) // 2],
        "without its last chunk.png": png[:-12],
        "wrong checksum.png": png[:60] + bytes([png[60] ^ 1]) + png[61:],
        "cut.gif": gif[: len(gif) // 2],
        "cut.bmp": encode(image, "BMP")[:-500],
        "large.jpeg": jpeg + bytes(100_000),
        "png.jpeg": encode(image.rotate(90), "PNG"),
        "no suffix": encode(image.rotate(180)),
        "palette.png": encode(other.convert("P"), "PNG"),
        "turned.jpeg": encode(image, exif=exif),
        "colour.jpeg": encode(image.convert("RGB")),
        "grey.tiff": encode(image, "TIFF"),
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_pixels, encode):
    """A folder with one file of every kind."""
    root = tmp_path_factory.mktemp("corpus") / "images"
    folder = root / "train/NORMAL"
    image = make_pixels(0)
    with warnings.catch_warnings(action="ignore"):
        files = _make(image, encode)
    for path in (folder, root / "train/COVID", root / "copy/train/NORMAL"):
        path.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (root / "elsewhere.bin").write_bytes(encode(make_pixels(1)))
    (folder / "followed.jpeg").symlink_to(root / "elsewhere.bin")
    (folder / "loop.jpeg").symlink_to("loop.jpeg")
    (folder / "loop").symlink_to(folder)
    (folder / "lost.jpeg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpeg")
    (folder / os.fsdecode(b"\xff.jpeg")).write_bytes(encode(image))
    (folder / "line\nbreak.jpeg").write_bytes(encode(image))
    for path in ELSEWHERE:
        (root / path).write_bytes(encode(image))
    return root


@pytest.fixture
def rows(corpus, index):
    """The index of the corpus, by path."""
    return index(corpus, max_file_bytes=100_000).set_index("path")


def test_the_corpus_has_at_least_30_kinds():
    assert len(IN_FOLDER) + len(ELSEWHERE) == 48


def test_every_kind_of_bad_input_is_rejected_for_its_reason(rows):
    expected = {f"train/NORMAL/{name}": reason for name, reason in IN_FOLDER.items()} | ELSEWHERE
    found = {path: rows.loc[path, "reason"] for path in expected}

    wrong = {path: (reason, found[path]) for path, reason in expected.items() if not found[path].startswith(reason)}
    assert wrong == {}
    assert set(rows.loc[list(expected), "status"]) == {"rejected"}


def test_odd_but_whole_images_are_accepted_with_a_note(rows):
    found = {name: tuple(rows.loc[f"train/NORMAL/{name}", ["status", "reason"]]) for name in ACCEPTED}

    assert found == {name: ("ok", note) for name, note in ACCEPTED.items()}


def test_every_file_of_the_corpus_has_a_row(rows):
    assert len(rows) == len(IN_FOLDER) + len(ELSEWHERE) + len(ACCEPTED)


def test_nothing_in_the_corpus_is_changed(corpus, index):
    def state():
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(corpus.rglob("*"))}

    before = state()
    index(corpus)

    assert state() == before


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

    rows = index(path, max_file_bytes=100_000).set_index("path")["reason"]

    assert rows["train/NORMAL/broken.jpeg"].startswith("train/NORMAL/broken.jpeg cannot be read (Bad CRC-32")
    assert rows.drop("train/NORMAL/broken.jpeg").to_dict() == {
        "/etc/absolute.jpeg": "absolute path in the archive",
        "train/NORMAL/../../out.jpeg": "path that leads out of the archive (..)",
        "train/NORMAL/good.jpeg": "",
        "train/NORMAL/large.jpeg": "more than 100,000 bytes",
        "train/NORMAL/link.jpeg": "link in the archive",
    }
