"""Arrays of images as MedMNIST publishes them (`pneumoniamnist.npz`), listed and read as if each image were a file."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.base.errors import UserError
from pneumonia.images.members import LABELS_FILE, ListedFile

SUFFIX = ".npz"
PARTS = ("train", "val", "test")
MAX_BYTES = 2**31  # of all arrays, which are held in memory; PneumoniaMNIST at 224 px takes 0.3 of these 2.1 GB

REMARK = (
    "A file of MedMNIST names no patients: each image is a group of its own, and a leak between patients cannot be "
    "seen, unless labels.table names a table with groups. PneumoniaMNIST holds the published images of Kermany et al. "
    "(2018), cut and shrunk: it is no external test of a model that was trained on those."
)

# What zipfile and NumPy raise for damaged files.
_DAMAGED = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, MemoryError, NotImplementedError, RuntimeError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class PublishedSplit(NamedTuple):
    """A published split: images uint8 `[n, height, width]`, labels 0 or 1 `[n]`."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.integer]


class NpzStorage:
    """The images of an `.npz` file as files in folders of their split and label, such as `train/1/000012.bmp`.

    A `labels.csv` beside them has their labels as 1 and 0, so that the file need not know the names of the classes. The
    format is BMP, whose bytes do not depend on a compressor, nor its size on the content.
    """

    remark = REMARK

    def __init__(self, identity: str, file: BinaryIO) -> None:
        """Read the arrays.

        Raises:
            UserError: If they are missing, or are not images with the labels 0 and 1.
        """
        self.identity = identity
        with file:
            self._parts = _read_parts(identity, file)

    def members(self) -> Iterator[ListedFile]:
        """List every image, and the table of labels."""
        table = self._write_labels()
        yield ListedFile(LABELS_FILE, LABELS_FILE, len(table))
        for split, part in self._parts.items():
            size = len(_write_image(part.images[0])) if len(part.images) else 0
            for row, image in enumerate(part.images):
                yield ListedFile(_path(split, part, row), (split, row), size, f"{zlib.crc32(image):08x}")

    def read(self, key: Any, n_bytes: int = -1) -> bytes:
        """Write an image, or the table of labels, as the file that it is listed as, or its first bytes."""
        if key == LABELS_FILE:
            return self._write_labels()
        split, row = key
        content = _write_image(self._parts[split].images[row])
        return content if n_bytes < 0 else content[:n_bytes]

    def _write_labels(self) -> bytes:
        lines = [
            f"{_path(split, part, row)},{label}\n"
            for split, part in self._parts.items()
            for row, label in enumerate(part.labels)
        ]
        return "".join(["path,label\n", *lines]).encode()


def _path(split: str, part: PublishedSplit, row: int) -> str:
    return f"{split}/{part.labels[row]}/{row:06d}.bmp"


def _write_image(image: npt.NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "BMP")
    return content.getvalue()


def _read_parts(identity: str, file: BinaryIO) -> dict[str, PublishedSplit]:
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_contents(archive)
            return {split: _read_part(archive, split) for split in PARTS}
    except _DAMAGED as error:
        raise UserError(
            f"{identity} is not a complete MedMNIST file with two classes ({error or type(error).__name__}): it needs "
            "train_images, val_images and test_images as uint8 [n, height, width], and train_labels, val_labels and "
            "test_labels as integers 0 or 1 [n, 1]."
        ) from error


def _refuse_contents(archive: zipfile.ZipFile) -> None:
    """Refuse an archive by its list of contents.

    Raises:
        ValueError: Saying what is missing, or too large.
    """
    sizes = {info.filename: info.file_size for info in archive.infolist()}
    wanted = [f"{split}_{kind}" for split in PARTS for kind in ("images", "labels")]
    if missing := [name for name in wanted if f"{name}.npy" not in sizes]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    if sum(sizes.values()) > MAX_BYTES:
        raise ValueError(f"its arrays have more than {MAX_BYTES:,} bytes")


def _read_part(archive: zipfile.ZipFile, split: str) -> PublishedSplit:
    """Read the arrays of a split.

    Raises:
        ValueError: If they are no images and labels; what else `_DAMAGED` names if they are damaged.
    """
    images, labels = _read_array(archive, f"{split}_images"), _read_array(archive, f"{split}_labels")
    if images.dtype != np.uint8 or images.ndim != 3 or not all(images.shape[1:]):
        raise ValueError(f"{split}_images is {images.dtype} {list(images.shape)}")
    if labels.dtype.kind not in "iu" or labels.shape != (len(images), 1):
        raise ValueError(f"{split}_labels is {labels.dtype} {list(labels.shape)} for {len(images):,} images")
    if other := sorted({*labels.ravel().tolist()} - {0, 1}):
        raise ValueError(f"{split}_labels holds {other[0]}")
    return PublishedSplit(np.ascontiguousarray(images), labels[:, 0])


def _read_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
