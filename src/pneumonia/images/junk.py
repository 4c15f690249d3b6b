"""Files that are no images of the set, by their names: what systems and programs leave, masks, annotations."""

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

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
# The folder of a viewer, with pictures of its own, if its programs are in it.
_VIEWER = re.compile(r"(?:^|.*/)(?:\w+[ _-])?(?:viewers?|weasis|ihe_pdi|autorun)(?=/)", re.IGNORECASE)
# What systems leave in folders, in lower case.
_OF_A_SYSTEM = ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\\r")
# What Windows keeps beside a file, where another system copied it as a file of its own.
_STREAMS = (":zone.identifier", ":encryptable")
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload", ".filepart", ".tmp", ".temp")
_BACKUPS = (".bak", ".orig", ".old", ".swp")
# What is no image, and no image that is damaged either, wherever it stands.
_DOCUMENTS = (
    ".txt", ".md", ".rst", ".rtf", ".doc", ".docx", ".odt", ".ppt", ".pptx", ".log", ".xml", ".json", ".yaml", ".yml",
    ".py", ".ipynb", ".m", ".r", ".sh", ".h5", ".hdf5", ".pkl", ".pickle", ".pt", ".pth", ".keras", ".onnx", ".mp4",
    ".avi", ".mov", ".mp3", ".wav", ".md5", ".sha1", ".sha256", ".db", ".jbf", ".info", ".xmp", ".tfw", ".xls", ".xlsx",
    ".ods", ".pdf", ".hl7", ".msg", ".eml",
)  # fmt: skip
_DOCUMENT_NAMES = frozenset(("license", "licence", "readme", "version", "copying", "authors", "makefile", "_success"))
_FOLDERS_OF_A_SYSTEM = {"@eadir", "$recycle.bin", "system volume information", "lost+found", "#recycle"}
# What stands beside an image under its name, in lower case.
_ANNOTATIONS = (
    ".xml", ".json", ".txt", ".yaml", ".yml", ".md5", ".sha256", ".rtf", ".doc", ".docx", ".pdf", ".xls", ".xlsx",
)  # fmt: skip

# Words in the name of a folder that tell what is in it, where images are beside it.
_TELLING = re.compile(
    r"mask(?:s|ed)?|masken?|mas[qc]\w+|máscaras?|masch\w+|маск[аи]|\w+masks?|seg|segs|segm|segment(?:ed|ation|ations|ierung\w*)|"
    r"segmentaci\w+|segmentaç\w+|\w+segmentations?|annotat(?:ed|ions?)|annotationen|ground ?truths?|gts?|heat ?maps?|"
    r"salienc\w+|grad ?cams?|cams?|overlays?|contours?|konturen|rois?|bbox(?:es)?|bounding ?boxes|attention|"
    r"explanations?|thumb(?:nail)?s?|掩膜|掩码|标注|分割|蒙版|マスク|마스크"
)
# Names that tell it only where the images beside them have the same names.
_WEAK = re.compile(r"(?:(?:lungs?|labels?|boxes|targets?|left|right|heart|truth|png|bmp|tiff?|jpe?g|gif) ?)+")
_PARTS = re.compile(r"[\W\d_]+")
# The share of a folder's names that must occur beside it, for a name that alone tells nothing.
_SHARED = 0.5
# In the name of a file beside its image, further words that tell it: 1_lung.png beside 1.png.
_OF_A_FILE = frozenset(("label", "labels", "lung", "lungs"))
# What every such word contains, so that other names are passed over quickly.
_HINT = re.compile(
    r"mas[kcq]|маск|seg|annot|gt|truth|heat|salienc|cam|overlay|cont|kont|roi|box|attent|explan|thumb|label|lung|"
    r"掩|标注|分割|蒙版|マスク|마스크",
    re.IGNORECASE,
)
# Between the name of an image and what its mask has besides: 1_mask, mask-1, 1Mask, 1mask.
_JOINTS = re.compile(r"[\W_]+|(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)|(?<=[a-z])(?=[A-Z])|(?=masks?$)")

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def without_junk(members: Iterable[ListedFile]) -> tuple[list[ListedFile], Counter[str]]:
    """Part the files from junk and masks, which are counted by kind."""
    junk: Counter[str] = Counter()
    kept: list[ListedFile] = []
    viewers: set[str] = set()
    for member in sorted(members, key=lambda member: member.name):
        kind = junk_kind(member.name)
        if kind:
            junk[kind] += 1
            viewers |= {_viewer(member.name)} if kind == OF_A_VIEWER else set()
        else:
            kept.append(member)
    viewers.discard("")
    if viewers:
        pictures = {member.name for member in kept if _viewer(member.name) in viewers and _is_raster(member.name)}
        junk[OF_A_VIEWER] += len(pictures)
        kept = [member for member in kept if member.name not in pictures]
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


def _viewer(name: str) -> str:
    """Return the folder of a viewer that a file is in, by its name; "" if it is in none."""
    found = _VIEWER.match(name)
    return found[0] if found else ""


def _is_raster(name: str) -> bool:
    return looks_like_image(name) and suffix_of(name) not in (".dcm", ".dicom", ".dic", ".ima")


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
    if suffix_of(name) in _UNFINISHED:
        return "unfinished download"
    if name.endswith("~") or suffix_of(name) in _BACKUPS:
        return "backup of an editor"
    if not _FOLDERS_OF_A_SYSTEM.isdisjoint(part.lower() for part in parts[:-1]):
        return "in a system's own folder"
    if parts[-1].upper() == "DICOMDIR" or suffix_of(name) in _OF_A_VIEWER:
        return OF_A_VIEWER
    return "hidden file" if any(part.startswith(".") and part.strip(".") for part in parts) else ""


def looks_like_image(name: str) -> bool:
    """Tell whether a file is an image by its suffix."""
    return suffix_of(name) in IMAGE_SUFFIXES


def is_document(name: str) -> bool:
    """Tell whether a file is something else than an image by its name."""
    return suffix_of(name) in _DOCUMENTS or name.rpartition("/")[2].lower() in _DOCUMENT_NAMES


def suffix_of(name: str) -> str:
    """Return a file's suffix in lower case."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - pathlib is slow for many thousand names


def find_masks(names: Sequence[str]) -> set[str]:
    """Return the files that are masks: in a folder called so, beside another of images, or named so beside their image.

    Args:
        names: Paths of image files.

    >>> sorted(find_masks(["NORMAL/images/1.png", "NORMAL/masks/1.png", "NORMAL/2.png", "NORMAL/2_mask.png"]))
    ['NORMAL/2_mask.png', 'NORMAL/masks/1.png']
    """
    folders = _mask_folders(names)
    found = {name for name in names if folders and not folders.isdisjoint(_folders_of(name))}
    return found | _named_masks(names)


def _mask_folders(names: Sequence[str]) -> set[str]:
    """Return the folders of masks."""
    holding = {name.rpartition("/")[0] for name in names}
    below: dict[str, set[str]] = defaultdict(set)
    for folder in holding:
        for path in _folders_of(f"{folder}/"):
            below[path.rpartition("/")[0]].add(path)
    found: set[str] = set()
    for parent, folders in below.items():
        words = {path: _words(path.rpartition("/")[2]) for path in folders}
        masks = {path for path, name in words.items() if any(map(_TELLING.fullmatch, (name, *name.split())))}
        weak = {path for path, name in words.items() if path not in masks and _WEAK.fullmatch(name)}
        if folders - masks - weak or (parent in holding and parent):
            found |= masks | {path for path in weak if _repeats_names(path, parent, names)}
    return found


def _repeats_names(folder: str, parent: str, names: Sequence[str]) -> bool:
    """Tell whether most files in a folder are called as others beside the folder."""
    above = f"{parent}/" if parent else ""
    inside = {stem(name.rpartition("/")[2]) for name in names if name.startswith(f"{folder}/")}
    beside = {
        stem(name.rpartition("/")[2]) for name in names if name.startswith(above) and not name.startswith(f"{folder}/")
    }
    return len(inside & beside) >= _SHARED * len(inside)


def _named_masks(names: Collection[str]) -> set[str]:
    """Return the files that are called as the mask of an image beside them."""
    hinting = [name for name in names if _HINT.search(name.rpartition("/")[2])]
    known = {stem(name).lower() for name in names} if hinting else set()
    return {name for name in hinting if any(image in known and _tells(rest) for image, rest in _parted(name))}


def _parted(name: str) -> Iterator[tuple[str, str]]:
    """Part a name in two at each joint: what its image may be called, in lower case, and the rest of the name."""
    folder, slash, own = stem(name).rpartition("/")
    for joint in _JOINTS.finditer(own):
        before, after = own[: joint.start()], own[joint.end() :]
        for image, rest in ((before, after), (after, before)):
            if image and rest:
                yield f"{folder}{slash}{image}".lower(), rest


@lru_cache(maxsize=4096)
def _tells(rest: str) -> bool:
    """Tell whether what the name of a file has besides that of its image says that it is a mask."""
    words = _words(rest)
    parts = words.split()
    are_known = all(_TELLING.fullmatch(part) or _WEAK.fullmatch(part) for part in parts)
    is_told = words in _OF_A_FILE or bool(_TELLING.fullmatch(words))
    return is_told or (are_known and any(map(_TELLING.fullmatch, parts)))


def _folders_of(name: str) -> list[str]:
    """Return the folders that a file is in, from the top."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _words(name: str) -> str:
    return " ".join(_PARTS.sub(" ", _CAMEL.sub(" ", name)).lower().split())
