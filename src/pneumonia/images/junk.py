"""Files that are no images of the set, by their names: what systems and programs leave, masks, annotations."""

import logging
import os
from collections import Counter
from collections.abc import Iterable

from pneumonia.images.masks import find_masks
from pneumonia.images.members import IMAGE_SUFFIXES, ListedFile, stem

logger = logging.getLogger(__name__)

MASK = "mask or overlay beside the images"
ANNOTATION = "annotation called like its image"
OF_A_VIEWER = "viewer's program, page or index"
# What the CD of a hospital holds besides images.
_OF_A_VIEWER = (
    ".exe", ".dll", ".inf", ".bat", ".cmd", ".com", ".msi", ".ocx", ".sys", ".jar", ".so", ".dylib", ".cab", ".chm",
    ".ini", ".cfg", ".htm", ".html", ".css", ".js", ".lnk", ".url", ".pdb", ".manifest", ".config",
)  # fmt: skip
# What systems leave in folders, in lower case.
_OF_A_SYSTEM = ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\\r")
# What Windows keeps beside a file, where another system copied it as a file of its own.
_STREAMS = (":zone.identifier", ":encryptable")
_FOLDERS_OF_A_SYSTEM = {"@eadir", "$recycle.bin", "system volume information", "lost+found", "#recycle"}
# What stands beside an image under its name, in lower case.
_ANNOTATIONS = (
    ".xml", ".json", ".txt", ".yaml", ".yml", ".md5", ".sha256", ".rtf", ".doc", ".docx", ".pdf", ".xls", ".xlsx",
)  # fmt: skip


def without_junk(members: Iterable[ListedFile]) -> tuple[list[ListedFile], Counter[str]]:
    """Part the files from junk and masks, which are counted by kind."""
    junk: Counter[str] = Counter()
    kept: list[ListedFile] = []
    for member in sorted(members, key=lambda member: member.name):
        kind = junk_kind(member.name)
        if kind:
            junk[kind] += 1
        else:
            kept.append(member)
    images = {stem(member.name) for member in kept if looks_like_image(member.name)}
    notes = {
        member.name for member in kept if suffix_of(member.name) in _ANNOTATIONS and _notes_on(member.name) & images
    }
    if notes:
        junk[ANNOTATION] = len(notes)
        kept = [member for member in kept if member.name not in notes]
    masks = find_masks([member.name for member in kept if looks_like_image(member.name)])
    if masks:
        junk[MASK] = len(masks)
        logger.warning("%s files are masks or overlays beside the images, by their names: left out.", f"{len(masks):,}")
    return [member for member in kept if member.name not in masks], junk


def _notes_on(name: str) -> set[str]:
    """Return what the image of an annotation may be called, without suffix: 1.xml and 1.png.json belong to 1.png."""
    whole = name[: -len(suffix_of(name))]
    return {whole, stem(whole)}


def junk_kind(name: str) -> str:
    """Name the kind of junk that a file is, or return "".

    >>> junk_kind("chest_xray/__MACOSX/chest_xray/._train"), junk_kind("train/NORMAL/IM-0115-0001.jpeg")
    ('__MACOSX', '')
    """
    parts = name.split("/")
    if "__MACOSX" in parts:
        return "__MACOSX"
    if parts[-1].startswith("._"):
        return "AppleDouble (._*)"
    if parts[-1] == ".DS_Store" or parts[-1].lower() in _OF_A_SYSTEM:
        return parts[-1]
    if parts[-1].startswith("~$") or parts[-1].lower().endswith(_STREAMS):
        return "lock or stream of a system"
    if not _FOLDERS_OF_A_SYSTEM.isdisjoint(part.lower() for part in parts[:-1]):
        return "in a system's own folder"
    if parts[-1].upper() == "DICOMDIR" or suffix_of(name) in _OF_A_VIEWER:
        return OF_A_VIEWER
    return "hidden file" if any(part.startswith(".") and part.strip(".") for part in parts) else ""


def looks_like_image(name: str) -> bool:
    """Tell whether a file is an image by its suffix."""
    return suffix_of(name) in IMAGE_SUFFIXES


def suffix_of(name: str) -> str:
    """Return a file's suffix in lower case."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - pathlib is slow for many thousand names
