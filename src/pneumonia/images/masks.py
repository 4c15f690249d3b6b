"""Masks and other pictures that belong to images, among the names of files: they are no radiographs."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

from pneumonia.images.members import stem

# Words in the name of a folder that tell what is in it, where images are beside it.
_TELLING = re.compile(
    r"mask(?:s|ed)?|masken?|mas[qc]\w+|máscaras?|masch\w+|маск[аи]|\w+masks?|seg|segs|segm|segment(?:ed|ation|ations|ierung\w*)|"
    r"segmentaci\w+|segmentaç\w+|\w+segmentations?|annotat(?:ed|ions?)|annotationen|ground ?truths?|gts?|heat ?maps?|"
    r"salienc\w+|grad ?cams?|cams?|overlays?|contours?|konturen|rois?|bbox(?:es)?|bounding ?boxes|attention|"
    r"explanations?|thumb(?:nail)?s?|掩膜|掩码|标注|分割|蒙版|マスク|마스크"
)
# Names that tell it only where the images beside them have the same names.
_WEAK = re.compile(r"(?:(?:lungs?|labels?|boxes|targets?|left|right|heart|truth|png|bmp|tiff?|jpe?g|gif) ?)+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
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
    return any(one in _OF_A_FILE or _TELLING.fullmatch(one) for one in (words, *words.split()))


def _folders_of(name: str) -> list[str]:
    """Return the folders that a file is in, from the top."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _words(name: str) -> str:
    return " ".join(_PARTS.sub(" ", _CAMEL.sub(" ", name)).lower().split())
