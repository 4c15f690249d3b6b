"""Masks and other pictures that belong to images, among the names of files: they are no radiographs."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pneumonia.images.members import stem

# Words in the name of a folder that tell what is in it, where images are beside it.
_TELLING = re.compile(
    r"masks?|masken?|mas[qc]\w+|máscaras?|masch\w+|маск[аи]|\w+masks?|seg|segs|segm|segment(?:ed|ation|ations|ierung\w*)|"
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
# How the file of a mask is called beside its image: 1_mask.png beside 1.png.
_ENDS = (
    "mask",
    "masks",
    "seg",
    "segmentation",
    "label",
    "labels",
    "gt",
    "annotation",
    "lung",
    "lungs",
    "overlay",
    "heatmap",
)
_BEGINNINGS = ("mask_", "mask-", "seg_", "gt_", "label_")


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


def _named_masks(names: Iterable[str]) -> set[str]:
    """Return the files that are called as the mask of an image beside them."""
    suspects = []
    for name in names:
        own = stem(name.rpartition("/")[2]).lower()
        if own.endswith(_ENDS) or own.startswith(_BEGINNINGS):
            suspects.append(name)
    if not suspects:
        return set()
    known = {stem(name).lower() for name in names}
    return {name for name in suspects if not known.isdisjoint(_images_of(name))}


def _images_of(name: str) -> set[str]:
    """Return what the image of a mask may be called, without suffix, in lower case."""
    folder, slash, own = stem(name).lower().rpartition("/")
    bare = {own.removesuffix(end).rstrip(" _.-") for end in _ENDS if own.endswith(end)}
    bare |= {own.removeprefix(start) for start in _BEGINNINGS if own.startswith(start)}
    return {f"{folder}{slash}{base}" for base in bare if base and base != own}


def _folders_of(name: str) -> list[str]:
    """Return the folders that a file is in, from the top."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _words(name: str) -> str:
    return " ".join(_PARTS.sub(" ", _CAMEL.sub(" ", name)).lower().split())
