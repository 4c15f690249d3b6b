"""Decoded images on disk: records of fixed size with random access.

A store holds images at one size, resize method and decoder. It is a folder of immutable parts: `<name>.u8`
has the pixels, one record after another; `<name>.json` says which images they are (SHA-256 of the files) and
holds the SHA-256 of the pixels. A part is named after its images and exists once its JSON does. New images make
new parts. Images of 16 bits and DICOM are named by hash and rendering: see `pneumonia.images.depth`.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base import files
from pneumonia.base.errors import UserError
from pneumonia.base.progress import follow
from pneumonia.images.depth import key_of
from pneumonia.pixels.decoding import Resize, fingerprint
from pneumonia.pixels.request import PixelRequest, decode_all

logger = logging.getLogger(__name__)

# The most images that a killed run loses.
PART_IMAGES = 2048

REBUILD = "kedro run --pipelines=inputs (with the same --env and --params)"


class DamagedPartError(Exception):
    """A part has changed since it was written. The message names the file."""


class PixelFileState(NamedTuple):
    """What changes when a file is written to, and what its bytes should be."""

    size: int
    modified: int
    inode: int
    sha256: str

    @classmethod
    def of(cls, path: Path, sha256: str) -> "PixelFileState":
        """Look at a file as it is now."""
        found = files.regular(path).stat()
        return cls(found.st_size, found.st_mtime_ns, found.st_ino, sha256)


@dataclass(frozen=True)
class PixelFile:
    """One file of pixels: where it is, its images in the order of the records, its checksum."""

    path: Path
    sha256s: tuple[str, ...]
    pixels_sha256: str

    @classmethod
    def read(cls, description: Path, record_bytes: int, checked: dict[Path, PixelFileState]) -> "PixelFile":
        """Read a part's description and check its pixels against it.

        Args:
            description: Its file.
            record_bytes: Size of an image.
            checked: Files whose bytes were checked, with their state then; unchanged files are not read again.

        Raises:
            DamagedPartError: Naming the file that is missing, truncated or changed.
        """
        path = description.with_suffix(".u8")
        try:
            content = json.loads(files.regular(description).read_bytes())
            part = cls(path, tuple(content["sha256s"]), content["pixels_sha256"])
            name = part_name(part.sha256s)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedPartError(f"{description} cannot be read ({error})") from error
        if name != description.stem:
            raise DamagedPartError(f"{description} was changed since it was written")
        if files.is_missing(path):
            raise DamagedPartError(f"{path} is missing")
        state = PixelFileState.of(path, part.pixels_sha256)
        if state.size != len(part.sha256s) * record_bytes:
            raise DamagedPartError(f"{path} does not hold {len(part.sha256s)} images of {record_bytes} bytes")
        if checked.get(path) != state and files.sha256_of_file(path) != part.pixels_sha256:
            raise DamagedPartError(f"{path} was changed since it was written")
        checked[path] = state
        return part


class PixelStore:
    """Random access to the decoded images of one size, resize method and decoder."""

    def __init__(self, folder: Path, image_size: int, parts: Sequence[PixelFile]) -> None:
        """Take parts that were checked."""
        self.folder = folder
        self.image_size = image_size
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part.sha256s) for part in parts)])
        self._row_of = {sha256: row for row, sha256 in enumerate(sha for part in parts for sha in part.sha256s)}

    @property
    def fingerprint(self) -> str:
        """What determines every pixel of an image: see `pneumonia.pixels.decoding.fingerprint`."""
        return self.folder.name

    @property
    def record_bytes(self) -> int:
        """The size of one image in bytes."""
        return self.image_size**2

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._row_of)

    def has(self, sha256s: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Tell for each image whether it is stored, `[n]`."""
        return np.array([sha256 in self._row_of for sha256 in sha256s], bool)

    def rows(self, sha256s: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return where the images with these keys (`pneumonia.pixels.store`) are, `[n]`, for `read`.

        Raises:
            UserError: If the store lacks one of them.
        """
        wanted = list(sha256s)
        missing = [sha256 for sha256 in wanted if sha256 not in self._row_of]
        if missing:
            raise UserError(
                f"The pixel store {self.folder} lacks {len(missing):,} of {len(wanted):,} images "
                f"(the first has the SHA-256 {missing[0][:12]}). Store them with: {REBUILD}"
            )
        return np.array([self._row_of[sha256] for sha256 in wanted], np.int64)

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Read images from disk, uint8 `[n, size, size, 1]`, in the order of `rows`.

        Plain reads, not a memory map: the pages of a map would count as this process's memory.

        Raises:
            FileNotFoundError: If a part was removed after it was opened.
            UserError: If a part was truncated after it was opened.
        """
        images = np.empty((len(rows), self.image_size, self.image_size, 1), np.uint8)
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        for index in np.unique(part_of):
            path, start = self._parts[index].path, self._starts[index]
            with path.open("rb", buffering=0) as file:
                for position in np.flatnonzero(part_of == index):
                    file.seek(int(rows[position] - start) * self.record_bytes)
                    if file.readinto(images[position]) != self.record_bytes:
                        raise UserError(f"{path} was truncated after it was opened. Store it again with: {REBUILD}")
        return images


class PixelStores:
    """All pixel stores of an environment, each in a folder named after what determines its pixels."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not exist."""
        self.folder = folder
        self._checked: dict[Path, PixelFileState] = {}

    def folder_of(self, image_size: int, resize: Resize) -> Path:
        """Return where the store for these parameters is."""
        return self.folder / fingerprint(image_size, resize)

    def open(self, image_size: int, resize: Resize) -> PixelStore:
        """Open the store for these parameters, after checking every byte that this handle has not checked before.

        Raises:
            UserError: If there is none, or a part of it is damaged.
        """
        folder = self.folder_of(image_size, resize)
        try:
            parts = [PixelFile.read(path, image_size**2, self._checked) for path in _descriptions(folder)]
        except DamagedPartError as error:
            raise UserError(f"{error}. Store it again with: {REBUILD}") from error
        if not parts:
            raise UserError(f"There are no pixels in {folder}. Store them with: {REBUILD}")
        return PixelStore(folder, image_size, parts)

    def fill(self, request: PixelRequest) -> None:
        """Decode and store the images that are not stored yet; replace damaged parts.

        Runs that need the same store at the same time wait for each other, so that nothing is decoded twice.

        Raises:
            UserError: If an image is not what the request says or cannot be decoded, or the disk is full. Complete
                parts are kept.
        """
        folder = self.folder_of(request.image_size, request.resize)
        with files.only_writer(folder):
            stored = _keep_whole_parts(folder, request.image_size**2, self._checked)
            images = request.images
            missing = [key for key in images if key not in stored]
            logger.debug("Pixel store %s: %d images are stored.", folder, len(images) - len(missing))
            with follow(len(missing), "Decoding") as advance:
                for start in range(0, len(missing), PART_IMAGES):
                    chosen = missing[start : start + PART_IMAGES]
                    _write_part(folder, chosen, decode_all(request, [images[key] for key in chosen], advance))


def part_name(sha256s: Sequence[str]) -> str:
    """Return the name of the part that holds these images in this order."""
    return hashlib.sha256("\n".join(sha256s).encode()).hexdigest()[:16]


def _write_part(folder: Path, sha256s: Sequence[str], decoded: Iterable[npt.NDArray[np.uint8]]) -> None:
    """Write the pixels, then the description that makes them count."""
    path = folder / f"{part_name(sha256s)}.u8"
    checksum = hashlib.sha256()
    with files.whole_file(path) as part, part.open("wb") as file:
        for pixels in decoded:
            checksum.update(pixels.data)
            file.write(pixels.data)
    description = {"sha256s": list(sha256s), "pixels_sha256": checksum.hexdigest()}
    files.write_whole(path.with_suffix(".json"), json.dumps(description).encode())


def _keep_whole_parts(folder: Path, record_bytes: int, checked: dict[Path, PixelFileState]) -> set[str]:
    """Return the images of all whole parts; remove damaged parts and what a killed run left."""
    for leftover in (*folder.glob(".*.u8"), *folder.glob(".*.json")):
        leftover.unlink()
    stored: set[str] = set()
    for description in _descriptions(folder):
        try:
            stored.update(PixelFile.read(description, record_bytes, checked).sha256s)
        except DamagedPartError as error:
            logger.warning("%s. It is made again.", error)
            description.unlink()
            description.with_suffix(".u8").unlink(missing_ok=True)
    return stored


def _descriptions(folder: Path) -> list[Path]:
    """Return the descriptions of a store's parts, in a fixed order."""
    return files.find_entries(folder, ".json")


def pixel_keys(images: pd.DataFrame) -> pd.Series:
    """Return what names the pixels of each image: the hash of its file, and how it is rendered.

    Args:
        images: With sha256 and, if any image has 16 bits or is DICOM, bits.
    """
    hashes: pd.Series = images["sha256"]
    if "bits" not in images.columns:
        return hashes
    keys = [key_of(sha256, bits) for sha256, bits in zip(hashes, images["bits"], strict=True)]
    return pd.Series(keys, hashes.index, dtype=hashes.dtype)
