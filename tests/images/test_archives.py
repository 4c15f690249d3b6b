import bz2
import contextlib
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumonia.base.errors import UserError
from pneumonia.images.members import guess_encoding
from pneumonia.images.patience import UnreadableError
from pneumonia.images.source import ImageSource

FILES = {"set/train/NORMAL/a.jpeg": b"one", "set/train/PNEUMONIA/b.jpeg": b"two", "set/.DS_Store": b""}


def tar(files, **links):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(f"set/train/NORMAL/{name}.jpeg")
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return content.getvalue()


def zipped(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def zip_without_flag(names, encoding):
    """A zip whose names are not marked as UTF-8, as other systems write them."""
    content = zipped(
        {f"{number:04}.jpeg".ljust(len(name.encode(encoding)), "x"): b"x" for number, name in enumerate(names)}
    )
    for number, name in enumerate(names):
        raw = name.encode(encoding)
        content = content.replace(f"{number:04}.jpeg".ljust(len(raw), "x").encode(), raw)
    return content


def marked(content, place, value):
    """A zip with a value at a place of the headers of each member, counted as in the one before its data."""
    changed = bytearray(content)
    for signature, before in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        for found in re.finditer(re.escape(signature), content):
            changed[found.start() + before + place] = value
    return bytes(changed)


@pytest.fixture
def source(tmp_path):
    """Write files into a folder and return it, or the only one of them, as a source."""

    def make(files, path=""):
        for name, data in files.items():
            (tmp_path / "place" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "place" / name).write_bytes(data)
        return ImageSource(str(tmp_path / "place" / path))

    return make


def read_all(source):
    return {file.path: source.read(file.path) if not file.problem else file.problem for file in source.listing.files}


TWO = {"train/NORMAL/a.jpeg": b"one", "train/PNEUMONIA/b.jpeg": b"two"}
ZIP, TAR = zipped(FILES), tar(FILES)
PACKED = {
    "s.zip": ZIP, "s.tar": TAR, "s.tar.gz": gzip.compress(TAR), "s.tgz": gzip.compress(TAR),
    "s.tar.bz2": bz2.compress(TAR), "s.tar.xz": lzma.compress(TAR), "wrong.zip": gzip.compress(TAR),
    "wrong.tar.gz": zipped(FILES), "s.zip.bin": zipped(FILES), "twice.zip": zipped({"inner.zip": zipped(FILES)}),
    "mixed.zip": zipped({"read.txt": b"me", "x/inner.tar.gz": gzip.compress(tar(FILES))}),
}  # fmt: skip


@pytest.mark.parametrize("name", PACKED)
def test_an_archive_is_read_as_its_folder_would_be(source, name):
    found = source({name: PACKED[name]}, name)

    assert read_all(found) == TWO
    assert sum(found.listing.junk.values()) == 1
    assert [found.read_start(file, 2) for file in found.listing.files] == [b"on", b"tw"]


@pytest.mark.parametrize("name", [name for name in PACKED if not name.endswith(".bin")])
def test_a_folder_that_holds_only_an_archive_is_that_archive(source, name):
    assert read_all(source({f"deep/er/{name}": PACKED[name], "README.md": b"text", ".DS_Store": b""})) == TWO


@pytest.mark.parametrize(
    ("archives", "expected"),
    [
        ({"train": "NORMAL/a.png", "test": "NORMAL/a.png"}, ["test/NORMAL/a.png", "train/NORMAL/a.png"]),
        ({"valid": "valid/NORMAL/a.png", "train": "train/NORMAL/b.png"}, ["train/NORMAL/b.png", "valid/NORMAL/a.png"]),
        ({"NORMAL": "a.png", "PNEUMONIA": "b.png"}, ["NORMAL/a.png", "PNEUMONIA/b.png"]),
        ({"x/train/NORMAL": "a.png", "x/test/NORMAL": "b.png"}, ["test/NORMAL/b.png", "train/NORMAL/a.png"]),
        ({"1": "s/train/NORMAL/a.png", "2": "s/train/NORMAL/b.png"}, ["train/NORMAL/a.png", "train/NORMAL/b.png"]),
        ({"1": "s/train/NORMAL/a.png", "2": "s/train/NORMAL/a.png"}, ["train/NORMAL/a.png", "train/NORMAL/a.png (2)"]),
    ],
)
def test_several_archives_in_a_folder_are_read_together(source, archives, expected):
    found = source({f"{name}.zip": zipped({path: name.encode()}) for name, path in archives.items()})

    assert [file.path for file in found.listing.files] == expected
    assert [found.read_file(file) for file in found.listing.files if not file.problem]


def test_an_archive_beside_images_is_left_alone(source):
    found = source({"train/NORMAL/a.jpeg": b"one", "backup.zip": PACKED["s.zip"]})

    assert (list(read_all(found)), found.listing.others) == (["train/NORMAL/a.jpeg"], ("backup.zip",))


UNREAD = {
    "a.7z": (
        b"7z\xbc\xaf\x27\x1c" + bytes(50),
        r"is a 7-Zip archive, .* Unpack it \(7z x a\.7z\) and name the folder: --params",
    ),
    "a.7z.001": (b"7z\xbc\xaf\x27\x1c" + bytes(50), "is a 7-Zip archive"),
    "a.rar": (b"Rar!\x1a\x07\x01\x00" + bytes(50), r"is a RAR archive, .* Unpack it \(unrar x a\.rar\)"),
    "wrong.zip": (b"Rar!\x1a\x07\x01\x00" + bytes(50), "is a RAR archive"),
    "a.tar.zst": (
        b"\x28\xb5\x2f\xfd" + bytes(50),
        r"is a Zstandard archive, .* Unpack it \(tar --zstd -xf a\.tar\.zst\)",
    ),
    "a.h5": (
        b"\x89HDF\r\n\x1a\n" + bytes(50),
        "is an HDF5 file, which is not read in place. Write its images into a folder",
    ),
    "a.iso": (bytes(32_769) + b"CD001" + bytes(50), r"is an image of a disc, .* Unpack it \(7z x a\.iso\)"),
    "a.arrow": (b"ARROW1\0\0" + bytes(50), "is an Arrow file"),
    "a.zip": (PACKED["s.zip"][:-30], "not a complete zip archive"),
    "locked.zip": (
        marked(PACKED["s.zip"], 6, 1),
        r"Nothing in .*locked.zip can be read in place: encrypted archive member. Unpack it \(7z x locked.zip\)",
    ),
    "a.deflate64.zip": (marked(PACKED["s.zip"], 8, 9), "read in place: packed in a way that is not read. Unpack it"),
    "part.zip": (ZIP[:-18] + b"\1" + ZIP[-17:], "is the last part of a zip archive. Unpack it"),
    "a.tar.gz": (PACKED["s.tar.gz"][:-30], "is damaged or cut"),
    "cut.tar": (PACKED["s.tar"][:700], "not a complete tar archive|not a complete zip"),
}


def test_a_member_without_a_name_is_refused(source):
    data = zipped(TWO | {"x": b"three"})
    listed = data.rindex(b"PK\1\2") + 28
    nameless = data[:listed] + bytes(2) + data[listed + 2 : listed + 18] + data[listed + 19 :]
    size = nameless.rindex(b"PK\5\6") + 12
    nameless = (
        nameless[:size] + struct.pack("<I", struct.unpack_from("<I", nameless, size)[0] - 1) + nameless[size + 4 :]
    )

    assert read_all(source({"s.zip": nameless}, "s.zip")) == {"(no name)": "archive member without a name", **TWO}


def test_a_tar_member_of_less_than_no_bytes_is_refused(source):
    data = bytearray(tar(TWO))
    size = data.index(b"train/PNEUMONIA/b.jpeg") + 124
    data[size : size + 12] = b"\xff" * 12
    header = data[size - 124 : size + 388]
    header[148:156] = b" " * 8
    data[size + 24 : size + 32] = b"%06o\0 " % sum(header)

    assert read_all(source({"s.tar": bytes(data)}, "s.tar")) == {
        "train/NORMAL/a.jpeg": b"one", "train/PNEUMONIA/b.jpeg": "damaged: its size cannot be read",
    }  # fmt: skip


def test_a_member_that_is_shorter_than_its_zip_lists_is_damaged_and_is_not_asked_for_again(source):
    data = zipped(TWO)
    listed = data.rindex(b"PK\1\2") + 24  # its size in the list of contents
    found = source({"s.zip": data[:listed] + struct.pack("<I", 5000) + data[listed + 4 :]}, "s.zip")
    last = found.listing.files[-1]

    with pytest.raises(UnreadableError, match=r"b.jpeg cannot be read \(3 of 5,000 bytes are in the archive\)"):
        found.read_file(last)
    with pytest.raises(UnreadableError, match="3 of 9 bytes"):
        found.read_start(last, 9)


@pytest.mark.parametrize("name", UNREAD)
@pytest.mark.parametrize("is_folder", [False, True])
def test_an_archive_that_cannot_be_read_is_named_with_what_to_do(source, name, is_folder):
    data, message = UNREAD[name]

    with pytest.raises(UserError, match=message):
        _ = source({name: data}, "" if is_folder else name).listing


def test_a_tar_member_that_could_do_harm_is_refused_with_its_reason(source):
    files = {
        **FILES,
        "/etc/passwd.png": b"x",
        "set/train/NORMAL/../../../out.png": b"x",
        "set/train/NORMAL/a\nb.png": b"x",
    }
    found = source({"s.tar": tar(files, link="/etc/passwd")}, "s.tar")

    assert {path: text for path, text in read_all(found).items() if text not in (b"one", b"two")} == {
        "/etc/passwd.png": "absolute path in the archive",
        "train/NORMAL/../../../out.png": "path that leads out of the archive (..)",
        "train/NORMAL/a\\nb.png": "name with control characters",
        "train/NORMAL/link.jpeg": "link in the archive",
    }


NAMES = {
    "euc_kr": ["폐렴/환자1.jpeg", "정상/환자2.jpeg"],
    "gbk": ["肺炎/患者一.jpeg", "正常/患者二.jpeg"],
    "utf-8": ["肺炎/患者一.jpeg", "Röntgen/größe.jpeg"],
    "cp437": ["Röntgen/Größe.jpeg", "normal/älter.jpeg"],
    "shift_jis": ["肺炎/患者の画像.jpeg"],
    "big5": ["肺炎/病人編號.jpeg"],
    "cp866": ["снимки/пациент.jpeg"],
    "cp1251": ["норма/снимок.jpeg", "пневмония/снимок.jpeg"],
    "cp1252": ["Gesund/Röntgen.jpeg", "Lungenentzündung/Röntgen.jpeg"],
    "cp850": ["não/imagem.jpeg"],
}


@pytest.mark.parametrize("encoding", NAMES)
def test_names_that_a_zip_does_not_mark_are_read_in_their_encoding(source, encoding):
    names = NAMES[encoding]
    found = source({"s.zip": zip_without_flag(names, encoding)}, "s.zip")

    assert guess_encoding([name.encode(encoding) for name in names]) == encoding
    assert sorted(file.member.name for file in found.listing.files) == sorted(names)
    assert {found.read_file(file) for file in found.listing.files} == {b"x"}


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "gbk", "utf-8"])
def test_names_in_a_tar_are_read_in_their_encoding(source, encoding):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT, encoding=encoding) as archive:
        for name in NAMES[encoding]:
            archive.addfile(tarfile.TarInfo(name))

    found = source({"s.tar": content.getvalue()}, "s.tar")

    assert sorted(file.member.name for file in found.listing.files) == sorted(NAMES[encoding])


@pytest.mark.parametrize(("name", "said"), [("x.npy", "x.npy"), ("set.zip.crdownload", "1 x unfinished download")])
def test_a_folder_without_images_says_what_is_there(source, name, said):
    with pytest.raises(UserError, match=f"no image file at .*, but {said}: unpack archives"):
        _ = source({name: b"\x93NUMPY"}).listing


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 20_000), st.binary(max_size=8))
@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.tar.xz"])
def test_damage_of_an_archive_ends_in_a_sentence(tmp_path_factory, name, position, noise):
    data, position = PACKED[name], position % len(PACKED[name])
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(data[:position] + noise + data[position + len(noise) // 2 :])
    source = ImageSource(str(path))

    with contextlib.suppress(UserError):
        for file in source.listing.files:
            if not file.problem:
                source.read_file(file)
