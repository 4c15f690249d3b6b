"""From an archive, or a folder of archives, to the storage of the images inside."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol

from pneumonia.base.errors import UserError
from pneumonia.images import archives, medmnist, parquet
from pneumonia.images.junk import junk_kind
from pneumonia.images.layout import may_be_dicom
from pneumonia.images.members import IMAGE_SUFFIXES, ListedFile
from pneumonia.images.patience import UnreadableError
from pneumonia.images.words import split_of

# Archives in archives that are opened.
_MOST_LAYERS = 3
_SHOWN = 5


class Storage(Protocol):
    """A place that lists files and reads them.

    Attributes:
        identity: Its address in full.
        remark: What anyone who evaluates a model on its images must know; empty if nothing.
    """

    identity: str
    remark: str

    def members(self) -> Iterator[ListedFile]:
        """List every file, in any order."""

    def read(self, key: Any, n_bytes: int = -1) -> bytes:
        """Read one file, or its first bytes."""


class Container(Storage, Protocol):
    """A storage whose files may be archives."""

    def open(self, key: Any) -> BinaryIO:
        """Return a file that can be read from anywhere."""


class JoinedStorage:
    """Several archives in one place as if they were unpacked there, and the other files beside them."""

    def __init__(self, outer: Container, others: Sequence[ListedFile], parts: Sequence[tuple[str, Storage]]) -> None:
        """Take the place, its other files, and each archive with the folder in which its files appear."""
        self.identity = outer.identity
        self.remark = " ".join(dict.fromkeys(part.remark for _, part in parts if part.remark))
        self._parts: list[Storage] = [outer, *(part for _, part in parts)]
        self._prefixes, self._others = ["", *(prefix for prefix, _ in parts)], others

    def members(self) -> Iterator[ListedFile]:
        """List every file; the second of one path gets a problem."""
        seen: Counter[str] = Counter()
        listed = (self._others, *(part.members() for part in self._parts[1:]))
        for number, (prefix, members) in enumerate(zip(self._prefixes, listed, strict=True)):
            for member in members:
                name = prefix + member.name
                seen[name] += 1
                problem = member.problem or ("second archive member of the same name" if seen[name] > 1 else "")
                yield ListedFile(name, (number, member.key), member.size, member.stamp, problem)

    def read(self, key: Any, n_bytes: int = -1) -> bytes:
        """Read one file, or its first bytes."""
        number, inner = key
        return self._parts[number].read(inner, n_bytes)


def open_archive(identity: str, name: str, file: BinaryIO, stamp: str = "", layers: int = 0) -> Storage:
    """Open an archive by its content; one that holds nothing but archives is opened further.

    Args:
        identity: Its address in full.
        name: Its name.
        file: Its content.
        stamp: Changes when it is rewritten.
        layers: How many archives it is in.

    Raises:
        UserError: If it is damaged, or of a kind that is not read.
    """
    if name.lower().endswith(medmnist.SUFFIX):
        return medmnist.NpzStorage(identity, file)
    archives.refuse_other(identity, file)
    content = archives.unpack(identity, file)
    if archives.is_tar(content):
        return look_inside(archives.TarStorage(identity, content, stamp), layers)
    if parquet.is_parquet(content):
        return parquet.ParquetStorage(identity, [(name, content)])
    return look_inside(archives.ZipStorage(identity, content), layers)


def look_inside(storage: Container, layers: int = 0) -> Storage:
    """Return the storage of the images in a place that holds no images but archives; else the place itself.

    Raises:
        UserError: If the archives are of a kind that is not read.
    """
    found: list[ListedFile] = []
    others: list[ListedFile] = []
    for member in storage.members():
        if junk_kind(member.name) or member.problem:
            continue
        if PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES or may_be_dicom(member.name):
            return storage
        (found if member.name.lower().endswith(archives.SUFFIXES) else others).append(member)
    unread = [member.name for member in others if member.name.lower().endswith(archives.OTHER_SUFFIXES)]
    if unread and not found:
        with _open(storage, next(member for member in others if member.name == unread[0])) as file:
            archives.refuse_other(unread[0], file)
        raise UserError(
            f"{storage.identity} has no images, but {', '.join(unread[:_SHOWN])}, which is not read in place. Unpack "
            "it and name the folder: --params=images=FOLDER."
        )
    if len(found) > 1:  # each file of MedMNIST is a set of its own
        found = [member for member in found if not member.name.lower().endswith(medmnist.SUFFIX)]
    if not found or layers == _MOST_LAYERS:
        return storage
    return _join(storage, sorted(found, key=lambda member: member.name), others, layers)


def _join(storage: Container, found: Sequence[ListedFile], others: Sequence[ListedFile], layers: int) -> Storage:
    tables = [member for member in found if member.name.lower().endswith(parquet.SUFFIX)]
    parts: list[tuple[str, Storage]] = []
    if tables:
        files = [(member.name, _open(storage, member)) for member in tables]
        parts.append(("", parquet.ParquetStorage(storage.identity, files)))
    for member in found:
        if member not in tables:
            identity = f"{storage.identity}/{member.name}"
            inner = open_archive(identity, member.name, _open(storage, member), member.stamp, layers + 1)
            parts.append((_prefix(member.name, inner, len(found)), inner))
    return JoinedStorage(storage, others, parts)


def _open(storage: Container, member: ListedFile) -> BinaryIO:
    """Open an archive in a place.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        return storage.open(member.key)
    except UnreadableError as error:
        raise UserError(f"In {storage.identity}: {error.message} Download it again.") from error


def _prefix(name: str, inner: Storage, n_archives: int) -> str:
    """Return the folder in which an archive's files appear: what it is called after, where its files are in none."""
    if n_archives == 1:
        return ""
    outer, slash, own = name.rpartition("/")
    stem = own[: -len(next(suffix for suffix in archives.SUFFIXES if own.lower().endswith(suffix)))]
    folders = {member.name.partition("/")[0] if "/" in member.name else "" for member in inner.members()}
    is_split = bool(split_of(stem)) and not any(map(split_of, folders))
    is_folder = stem not in folders and (is_split or "" in folders)
    return f"{outer}{slash}{stem}/" if is_folder else f"{outer}{slash}"
