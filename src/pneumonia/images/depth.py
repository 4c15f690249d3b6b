"""The range of values that is scaled to 8 bits, where a file does not say it.

Files of 16 bits often hold the 8, 10, 12 or 14 bits of a detector. Which, one image cannot tell: the brightest pixels
of two images of one detector may be 1,023 and 1,030. So the range is that of all images of a source: of a folder and a
device. What decides it is read from each file (`Values`); how a file is then scaled is its `bits`, a column of the
image index and, where any image needs it, of the split manifest:

- 0: the file has 8 bits;
- 8: the file says by itself how its values become grey levels (DICOM with a window or a table), or holds 8 bits;
- 10 to 16: that many bits;
- negative: as many bits, signed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pneumonia.images.status import RefusedError

# Depths of radiographic detectors, in bits.
DEPTHS = (8, 10, 12, 14, 16)
CONTAINER = DEPTHS[-1]
# An image that uses a smaller share of the range shows next to nothing.
LEAST_SHARE = 0.1
# Folders that tell no source apart.
_SPLITS = ("train", "val", "test")
# Two depths that differ by no more belong to one detector, whose brightest pixels differ from image to image.
_NEAR = 2

# Names how images with `bits` other than 0 are rendered: raise it whenever their pixels change.
RENDERING = "r2"


class Values(NamedTuple):
    """The values of a file whose range is not known.

    Attributes:
        detector: Tells devices apart; empty for a file whose range is known.
        stored: How many bits the file claims.
        lowest: Smallest value.
        highest: Largest value.
    """

    detector: str = ""
    stored: int = 0
    lowest: int = 0
    highest: int = 0


def bits_of(values: Iterable[Values]) -> int:
    """Return the bits of a source from the values of its images.

    What a file claims is believed, unless it claims no less than its container (16), which says nothing, or all images
    together use less than a tenth of it.

    >>> bits_of([Values("a", 16, 0, 1023), Values("a", 16, 3, 1030)])
    12
    >>> bits_of([Values("a", 14, 0, 9000)]), bits_of([Values("a", 14, 0, 1023)]), bits_of([Values("a", 16, -9, 90)])
    (14, 10, -8)
    """
    known = list(values)
    lowest, highest = min(one.lowest for one in known), max(one.highest for one in known)
    claimed = max(one.stored for one in known)
    signed = lowest < 0
    is_credible = claimed < CONTAINER and highest - lowest >= LEAST_SHARE * (2**claimed - 1)
    for bits in (claimed, *DEPTHS) if is_credible else DEPTHS:
        if _fits(lowest, highest, -bits if signed else bits):
            return -bits if signed else bits
    raise RefusedError(f"values from {lowest} to {highest}; only values of up to 16 bits are supported")


def range_of(bits: int) -> tuple[int, int]:
    """Return the ends of the range.

    >>> range_of(12), range_of(-12)
    ((0, 4095), (-2048, 2047))
    """
    return (0, 2**bits - 1) if bits >= 0 else (-(2 ** (-bits - 1)), 2 ** (-bits - 1) - 1)


def scale(values: npt.NDArray[np.integer], bits: int) -> npt.NDArray[np.uint8]:
    """Scale values to 8 bits; with 0 bits, by the range that this image alone would have."""
    if not bits:
        bits = bits_of([Values("", CONTAINER, int(values.min()), int(values.max()))])
    low, high = range_of(bits)
    levels = np.rint((values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8)


def choose_bits(found: Mapping[str, Values]) -> dict[str, int]:
    """Choose the range of each file, by the folder that it lies in and its device.

    A folder with a single such file shares the range of the folders above it. Folders of one device whose ranges differ
    little share the larger: it is the images that differ, not the detector.

    Args:
        found: The values of each file whose range is not known, by path.

    Returns:
        Bits by path.
    """
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, values in found.items():
        members[values.detector, _folder(path)].append(path)
    for level in range(max((_level(folder) for _, folder in members), default=0), 0, -1):
        for detector, folder in [key for key, paths in members.items() if _level(key[1]) == level and len(paths) == 1]:
            members[detector, folder.rpartition("/")[0]] += members.pop((detector, folder))
    negative = {values.detector for values in found.values() if values.lowest < 0}
    chosen = {}
    for (detector, folder), paths in members.items():
        sign = [Values(detector, 0, -1, -1)] if detector in negative else []
        chosen[detector, folder] = bits_of([*(found[path] for path in paths), *sign])
    of_detector: dict[str, set[int]] = defaultdict(set)
    for (detector, _), bits in chosen.items():
        of_detector[detector].add(bits)
    return {path: _joined(chosen[key], of_detector[key[0]]) for key, paths in members.items() for path in paths}


def key_of(sha256: str, bits: int) -> str:
    """Return what names the pixels of an image.

    >>> key_of("ab", 0), key_of("ab", 12)
    ('ab', 'ab-r2-12')
    """
    return f"{sha256}-{RENDERING}-{bits}" if bits else sha256


def _joined(bits: int, others: set[int]) -> int:
    """Return the largest of the ranges near this one: from the largest of all down, each takes those near it."""
    sizes = sorted(map(abs, others), reverse=True)
    top = sizes[0]
    for size in sizes:
        top = size if top - size > _NEAR else top
        if size == abs(bits):
            break
    return -top if bits < 0 else top


def _level(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def _folder(path: str) -> str:
    return "/".join(part for part in path.split("/")[:-1] if part.casefold() not in _SPLITS)


def _fits(lowest: int, highest: int, bits: int) -> bool:
    low, high = range_of(bits)
    return low <= lowest and highest <= high
