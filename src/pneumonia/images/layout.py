"""Sorts the files at a source into images, with class and published split, and junk."""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from pneumonia.images.junk import is_document, looks_like_image, suffix_of, without_junk
from pneumonia.images.members import CRC_STAMP, IMAGE_SUFFIXES, ListedFile
from pneumonia.images.tables import OTHER_SUFFIXES, SUFFIXES, spelling
from pneumonia.images.words import SPLITS, UNSPLIT, split_of

SIDE_FILES = ("groups.csv", "lesions.csv")

NOT_IN_CLASS_FOLDER = "not in a class folder"
SAME_PATH = "another file has the same printable path"
DOUBLED_TREE = "copy in a second tree"
# Folders between those of a split and of its classes, as `spelling` gives them, besides one called like the split.
_BETWEEN = frozenset(
    "image images img imgs picture pictures bilder data files jpg jpeg png dicom dcm cxr xray xrays".split()  # noqa: SIM905
)
_PART_OF_ARCHIVE = re.compile(r"\.(?:7z|zip|rar|tar|t?gz)\.\d+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file, readable or not.

    Attributes:
        path: Path below the folder that holds train, val and test, with ``/``.
        label: Name of the class folder; empty if the file is in none.
        source_split: Published split, or "none".
        member: The file as its storage lists it.
        problem: Why it must not be read; empty if it may.
        left_out: Why the table of labels leaves it out; empty if it does not.
    """

    path: str
    label: str
    source_split: str
    member: ListedFile
    problem: str
    left_out: str = ""


@dataclass(frozen=True)
class Listing:
    """The files at a source.

    Attributes:
        files: Image files, by path.
        junk: Number of files of archive junk, by kind.
        side_files: Known side files by name.
        others: Paths of other files, which are not read.
        tables: Tables by name, wherever they are: one may be a table of labels.
        rows: What a table of labels says, by path.
        label_problems: What does not match the files: kind, path, note.
    """

    files: tuple[ImageFile, ...]
    junk: dict[str, int]
    side_files: dict[str, ListedFile]
    others: tuple[str, ...]
    tables: Mapping[str, ListedFile] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    label_problems: tuple[tuple[str, str, str], ...] = ()


def arrange(members: Iterable[ListedFile]) -> Listing:
    """Sort the files at a source into images, side files, junk and others.

    Kaggle's zip holds `chest_xray/train/...`, a second copy at `chest_xray/chest_xray/train/...` and macOS' `__MACOSX`.
    The tree nearest to the top is used; files of another tree are junk if they are copies (same path below the tree,
    same size and, in a zip, same CRC), and otherwise images with a problem. Masks beside the images are junk too.
    """
    kept, junk = without_junk(members)
    tables = {member.name: member for member in kept if _is_table(member, SUFFIXES + OTHER_SUFFIXES)}
    root, is_split = find_root([member.name for member in kept])
    inside = [member for member in kept if _in_class_folder(root, member.name, is_split) and not _is_other(member)]
    main = {_below(root, member.name): member for member in reversed(inside)}
    files = [_image_in_class_folder(_below(root, member.name), member, is_split) for member in inside]
    side_files: dict[str, ListedFile] = {}
    others: list[str] = []
    for member in kept:
        if _in_class_folder(root, member.name, is_split) and not _is_other(member):
            continue
        if _is_side_file(member, root):
            former = side_files.get(_name(member))
            nearest = max(former or member, member, key=lambda candidate: len(candidate.name))
            if former:
                others.append((former if nearest is member else member).name)
            side_files[_name(member)] = nearest
        elif _is_copy(member, main):
            junk[DOUBLED_TREE] += 1
        elif member.problem or looks_like_image(member.name) or (not is_split and may_be_dicom(member.name)):
            path = _below(root, member.name) if member.name.startswith(root) else member.name
            split = split_of(path.partition("/")[0]) if "/" in path else ""
            files.append(ImageFile(path, "", split or UNSPLIT, member, member.problem or NOT_IN_CLASS_FOLDER))
        else:
            others.append(member.name)
    files.sort(key=lambda file: (file.path, file.member.problem != ""))
    return Listing(_told_apart(files), dict(sorted(junk.items())), side_files, tuple(others), tables)


def _told_apart(files: list[ImageFile]) -> tuple[ImageFile, ...]:
    """Give each file a path of its own, so that none vanishes behind another; of one path, the first may be read."""
    seen: Counter[str] = Counter()
    told: list[ImageFile] = []
    for file in files:
        seen[file.path] += 1
        if seen[file.path] > 1:
            file = replace(file, path=f"{file.path} ({seen[file.path]})", problem=file.problem or SAME_PATH)
        told.append(file)
    return tuple(told)


def _is_table(member: ListedFile, suffixes: tuple[str, ...] = SUFFIXES) -> bool:
    return member.name.lower().endswith(suffixes) and not member.problem


def _is_other(member: ListedFile) -> bool:
    return _is_table(member) or (is_document(member.name) and not member.problem)


def list_all(members: Iterable[ListedFile]) -> tuple[ImageFile, ...]:
    """List every image file, wherever it is, without a label. Junk is left out.

    Files without a suffix, or with a number as suffix, are listed too: DICOM files are often named IM00001 or by their
    UID. A file that its storage refuses is listed with the problem, so that nothing vanishes silently.
    """
    kept, _ = without_junk(members)
    files = [member for member in kept if member.problem or _may_be_image(member.name)]
    listed = (ImageFile(member.name, "", UNSPLIT, member, member.problem) for member in files)
    return tuple(sorted(listed, key=lambda file: file.path))


def find_root(names: list[str]) -> tuple[str, bool]:
    """Find the folder that holds train, val and test, or else the class folders.

    Args:
        names: Paths of all files but junk.

    Returns:
        The folder as a prefix ("" or ending in "/"), and whether it holds train, val and test.

    >>> find_root(["a/train/NORMAL/1.jpeg", "a/a/train/NORMAL/1.jpeg"])
    ('a/', True)
    >>> find_root(["README.md", "set/NORMAL/1.jpeg", "set/PNEUMONIA/2.jpeg"])
    ('set/', False)
    """
    images = [name for name in names if looks_like_image(name)]
    unnamed = [name for name in names if may_be_dicom(name)]
    images = (images + unnamed if len(unnamed) > len(images) else images) or names
    roots = {name[: len(name) - len(below)] for name in images if (below := _below_split(name))}
    if roots:
        return min(roots, key=lambda root: (root.count("/"), root)), True
    folders = {_folder(name) for name in images}
    common = os.path.commonpath([f"/{folder}" for folder in folders]).strip("/") if folders else ""
    if len(folders) == 1 and common:
        common = PurePosixPath(common).parent.as_posix()  # the only class folder
    return (f"{common}/" if common not in ("", ".") else ""), False


def _image_in_class_folder(path: str, member: ListedFile, is_split: bool) -> ImageFile:
    """Describe an image file by where it lies."""
    parts = path.split("/")
    while is_split and len(parts) > 3 and (spelling(parts[1]) in _BETWEEN or parts[1] == parts[0]):
        del parts[1]
    split, label = (split_of(parts[0]), parts[1]) if is_split else (_split_without_tree(parts), parts[0])
    return ImageFile(path, sys.intern(label), sys.intern(split), member, member.problem)  # few names, a million times


def _split_without_tree(parts: list[str]) -> str:
    """Return the split of a file by the folder that may be its class, or the one in it: train/1.png, NORMAL/train."""
    below = split_of(parts[1]) if len(parts) >= 3 else ""
    return split_of(parts[0]) or below or UNSPLIT


def _in_class_folder(root: str, name: str, is_split: bool) -> bool:
    """Tell whether a file lies in a class folder of the tree."""
    if not name.startswith(root):
        return False
    parts = _below(root, name).split("/")
    return len(parts) >= 3 and split_of(parts[0]) != "" if is_split else len(parts) >= 2


def _is_copy(member: ListedFile, main: dict[str, ListedFile]) -> bool:
    """Tell whether a file of a second tree is the copy of one of the first."""
    original = main.get(_below_split(member.name))
    if original is None or member.problem or original.size != member.size:
        return False
    has_checksum = member.stamp.startswith(CRC_STAMP)
    return not has_checksum or original.stamp == member.stamp


def _is_side_file(member: ListedFile, root: str) -> bool:
    """Tell whether a file is a known side file, in the folder of the images or above it."""
    return _name(member) in SIDE_FILES and root.startswith(_folder(member.name)) and not member.problem


def _below_split(name: str) -> str:
    """Return a path from its train, val or test folder on; "" if it has none with a class folder in it.

    Where several folders are called so, the exact names go before those in another case, and these before other words.
    """
    parts = name.split("/")
    called = [(index, part) for index, part in enumerate(parts[:-2]) if split_of(part)]
    if not called:
        return ""
    exact = [index for index, part in called if part in SPLITS]
    alike = [index for index, part in called if part.lower() in SPLITS]
    start = (exact or alike or [called[-1][0]])[0]  # another word may name a folder above: dev/set/valid
    return "/".join(parts[start:])


def _below(root: str, name: str) -> str:
    return name[len(root) :]


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _name(member: ListedFile) -> str:
    return member.name.rpartition("/")[2]


def may_be_dicom(name: str) -> bool:
    """Tell whether a file may be DICOM by its name: a number without suffix, or with a number as suffix."""
    own = name.rpartition("/")[2]
    suffix = suffix_of(own)
    has_number = any(letter.isdecimal() for letter in own)
    is_other = own.lower().endswith("sums") or _PART_OF_ARCHIVE.search(own)
    return has_number and (not suffix or suffix[1:].isdecimal()) and not is_other


def _may_be_image(name: str) -> bool:
    suffix = suffix_of(name)
    return suffix in IMAGE_SUFFIXES or not suffix or suffix[1:].isdecimal()
