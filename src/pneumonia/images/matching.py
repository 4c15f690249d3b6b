"""Which file a row of a table of labels means, by its path or by the values in its DICOM header.

These, accession numbers, UIDs and patients' IDs, are compared and forgotten: none of them is written or shown.
"""

import io
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from pneumonia.base.errors import UserError
from pneumonia.images import dicom
from pneumonia.images.dicom_values import is_dicom, readable
from pneumonia.images.layout import ImageFile
from pneumonia.images.members import composed, stem
from pneumonia.images.status import RefusedError
from pneumonia.images.words import split_of

logger = logging.getLogger(__name__)

# By which elements of a header a table may name files.
KEYWORDS = {
    "sop_uid": "SOPInstanceUID",
    "accession": "AccessionNumber",
    "patient": "PatientID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
}
# The last of these elements. What follows, up to the pixels, is not read.
_LAST = 0x0020000E
# Bytes at the beginning of a file that contain them, but for odd files, which are read in full.
_START_BYTES = 65_536

# A shorter part of a name may be anything.
_LEAST_LETTERS = 5
# A UID is one part: the one of a study often begins those of its images, and of other studies' too.
_PARTS_OF_NAMES = re.compile(r"\d+(?:\.\d+)+|[^\W_]+")

Headers = dict[str, dict[str, Sequence[ImageFile]]]


class RowFit(IntEnum):
    """How well a row names a file; of several rows, the best one counts."""

    EXACT = 0
    ALIKE = 1
    STEM = 2
    END = 3
    PART = 4


REMARKS = {
    RowFit.STEM: "matched without its suffix, case or leading zeros",
    RowFit.END: "matched by the end of its path",
    RowFit.PART: "matched by a part of its name",
}


@dataclass(frozen=True)
class Match:
    """The files that a row means: one, several that cannot be told apart, or none."""

    files: Sequence[ImageFile] = ()
    fit: RowFit = RowFit.EXACT


class PathIndex:
    """Files by the ends of their paths, so that a row with a path is matched without a look at every file."""

    def __init__(self, files: Iterable[tuple[tuple[str, ...], ImageFile]], lengths: Iterable[int]) -> None:
        """Take the files with their folders and name, and how many parts the rows' paths have."""
        self._whole: dict[tuple[str, ...], list[ImageFile]] = defaultdict(list)
        self._ends: dict[int, dict[tuple[str, ...], list[ImageFile]]] = {
            length: defaultdict(list) for length in {*lengths, 1}
        }
        for parts, file in files:
            self._whole[parts].append(file)
            for length, ends in self._ends.items():
                if len(parts) >= length:
                    ends[parts[-length:]].append(file)

    def fitting(self, parts: tuple[str, ...]) -> Sequence[ImageFile]:
        """Return the files whose path ends as the row's does, or else the longest that the row's path ends with."""
        found = self._ends[len(parts)].get(parts, [])
        shorter = (self._whole.get(parts[start:], []) for start in range(1, len(parts)))
        return found or next(filter(None, shorter), [])

    def named(self, name: str) -> Sequence[ImageFile]:
        """Return the files of a name, whatever their folder."""
        return self._ends[1].get((name,), [])


def match_paths(paths: Sequence[str], files: Sequence[ImageFile], *, only_name: bool = False) -> list[Match]:
    """Return which files each path means.

    A path is that of a file, its end, its name with or without suffix, or it ends like exactly one file's path that is
    the only one of this name in the table too.
    """
    parts = [_parts(path)[-1:] if only_name else _parts(path) for path in paths]
    lengths = set(map(len, parts))
    exact = {name: file for file in reversed(files) for name in (composed(file.member.name), composed(file.path))}
    split = [(tuple(composed(file.member.name).split("/")), file) for file in files]
    whole, bare = (
        PathIndex(split, lengths),
        PathIndex([((*part[:-1], stem(part[-1])), f) for part, f in split], lengths),
    )
    loose = PathIndex([(_loose(part), file) for part, file in split], lengths)
    wanted = Counter(_loose(part)[-1] for part in parts if part)
    found = []
    for path, part in zip(paths, parts, strict=True):
        given = composed(path).replace("\\", "/").removeprefix("./")
        if given in exact and not only_name:
            found.append(Match([exact[given]], RowFit.EXACT))
        elif alike := part and (whole.fitting(part) or bare.fitting(part)):
            found.append(Match(alike, RowFit.ALIKE))
        elif alike := part and loose.fitting(_loose(part)):
            found.append(Match(alike, RowFit.STEM))
        else:
            found.append(_only_one(part, loose, wanted))
    return found


def _only_one(parts: tuple[str, ...], loose: PathIndex, wanted: Counter[str]) -> Match:
    """Match a path by its name alone, where table and files have it once each, and not under different splits."""
    if not parts or wanted[name := _loose(parts)[-1]] != 1 or len(named := loose.named(name)) != 1:
        return Match()
    splits = [{split_of(part) for part in folders} - {""} for folders in (parts[:-1], named[0].path.split("/")[:-1])]
    return Match(named, RowFit.END) if not all(splits) or splits[0] == splits[1] else Match()


def _loose(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path whatever its case, without suffix; a number without leading zeros, which spreadsheets drop.

    They also write 7.0 for 7; browsers write %20 for a blank.
    """
    name = stem(unquote(parts[-1])).casefold()
    name = name.removesuffix(".0") if name.removesuffix(".0").isdecimal() else name
    return (*(part.casefold() for part in parts[:-1]), name.lstrip("0") if name.isdecimal() else name)


def match_keys(keys: Sequence[str], by_key: Mapping[str, Sequence[ImageFile]]) -> list[Match]:
    """Return the files with each key in their header; spreadsheets drop leading zeros."""
    bare: dict[str, set[str]] = defaultdict(set)
    for key in by_key:
        bare[key.lstrip("0")].add(key)
    wanted = Counter(key.lstrip("0") for key in set(map(tidy_key, keys)))
    return [_match_key(tidy_key(key), by_key, bare, wanted) for key in keys]


def match_parts(keys: Sequence[str], files: Sequence[ImageFile]) -> list[Match]:
    """Return the files with each key as a part of their name between signs, such as 700000 in CXR_700000.png.

    Only where most of the keys, or of the files, have a partner; zeros before a number do not count.
    """
    wanted = [_words_of(key) for key in keys]
    found: dict[tuple[str, ...], list[ImageFile]] = {words: [] for words in wanted if words}
    lengths = set(map(len, found))
    named = 0
    for file in files:
        words = _words_of(file.member.name.rpartition("/")[2])
        parts = {words[at : at + length] for length in lengths for at in range(len(words) - length + 1)}
        for part in parts & found.keys():
            found[part].append(file)
        named += not parts.isdisjoint(found.keys())
    is_usual = 2 * sum(bool(found.get(words)) for words in wanted) > len(wanted) or 2 * named > len(files)
    return [Match(found.get(words, ()) if is_usual else (), RowFit.PART) for words in wanted]


def _words_of(text: str) -> tuple[str, ...]:
    """Return the parts of a key, or of a name without its suffix; none of a path, or of a key that is short."""
    bare = stem(tidy_key(text))
    words = _PARTS_OF_NAMES.findall(bare) if len(bare) >= _LEAST_LETTERS and "/" not in bare else []
    return tuple(word.lstrip("0") if word.isdecimal() else word for word in words)


def by_folder(keys: Sequence[str], files: Iterable[ImageFile]) -> dict[str, list[ImageFile]]:
    """Return the files by the folders that they are in, if most keys have one that is called so."""
    found: dict[str, list[ImageFile]] = defaultdict(list)
    for file in files:
        for folder in set(map(tidy_key, file.member.name.split("/")[:-1])):
            found[folder].append(file)
    return found if sum(tidy_key(one) in found for one in keys) * 2 > len(keys) else {}


def tidy_key(key: str) -> str:
    """Return a key of a header without what spreadsheets add."""
    key = composed(key).strip().casefold().removesuffix(".dcm").removesuffix("_study").removesuffix("_image")
    return key.removesuffix(".0") if key.removesuffix(".0").isdecimal() else key


def _match_key(
    key: str, by_key: Mapping[str, Sequence[ImageFile]], bare: Mapping[str, set[str]], wanted: Counter[str]
) -> Match:
    if key in by_key or not key:
        return Match(by_key.get(key, ()), RowFit.EXACT)
    alike = bare.get(key.lstrip("0"), set())
    is_only_one = len(alike) == 1 and wanted[key.lstrip("0")] == 1 and key.isdecimal()
    return Match(by_key[next(iter(alike))], RowFit.STEM) if is_only_one else Match()


def _parts(path: str) -> tuple[str, ...]:
    """Return the folders and the name in a path as a table has it."""
    text = composed(path).strip().replace("\\", "/").removeprefix("file://")
    text = text.partition("?")[0] if "://" in text else text
    parts = PurePosixPath(text).parts
    return tuple(part for part in parts if part not in ("/", "//", ".", "..") and not part.endswith(":"))


def read_headers(files: Iterable[ImageFile], read: Callable[[ImageFile, int], bytes]) -> Headers:
    """Return the DICOM files by each kind of key and its value, as `tidy_key` writes it.

    Args:
        files: Files of any kind.
        read: Reads the first bytes of a file, or with -1 all of it.

    Raises:
        UserError: If there are DICOM files but pydicom is not installed.
    """
    listed = list(files)
    logger.info("Reading the headers of %s files for the table of labels.", f"{len(listed):,}")
    found: dict[str, dict[str, list[ImageFile]]] = {kind: defaultdict(list) for kind in KEYWORDS}
    with ThreadPoolExecutor() as threads:
        for file, keys in zip(listed, threads.map(lambda file: _keys_of(file, read), listed), strict=True):
            for kind, key in keys.items():
                found[kind][key].append(file)
    return {kind: dict(by_key) for kind, by_key in found.items()}


def _keys_of(file: ImageFile, read: Callable[[ImageFile, int], bytes]) -> dict[str, str]:
    """Return the keys in a file's header, by kind; none for other files and damaged ones, which are named later."""
    start = read(file, _START_BYTES)
    if not is_dicom(start):
        return {}
    dataset, is_complete = _parse(start)
    if not is_complete and len(start) == _START_BYTES:
        dataset, _ = _parse(read(file, -1))
    texts = {kind: _text(dataset, word) for kind, word in KEYWORDS.items()} if dataset is not None else {}
    return {kind: tidy_key(text) for kind, text in texts.items() if text.strip()}


def _text(dataset: Any, keyword: str) -> str:
    """Return a value of a header; "" without one, or where it is damaged: pydicom reads it only now."""
    try:
        return str(dataset.get(keyword) or "")
    except dicom.ERRORS:
        return ""


def _parse(data: bytes) -> tuple[Any, bool]:
    """Return the data set up to the last key, None if it is damaged; and whether an element behind it was seen."""
    is_behind = False

    def stop(tag: int, vr: str | None, length: int) -> bool:
        nonlocal is_behind
        is_behind = is_behind or tag > _LAST
        return is_behind

    try:
        pydicom = dicom.load_pydicom()
    except RefusedError as error:
        raise UserError(
            "The table of labels names images by their DICOM headers, which needs another package: "
            'pip install -c constraints.txt -e ".[dicom]".'
        ) from error
    try:
        tags = list(map(pydicom.datadict.tag_for_keyword, KEYWORDS.values()))
        return pydicom.filereader.read_partial(
            io.BytesIO(readable(data)), stop, force=True, specific_tags=tags
        ), is_behind
    except dicom.ERRORS:
        return None, is_behind
