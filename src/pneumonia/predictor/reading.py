"""From files or arrays to pixels for the network, a few hundred at a time, so that memory does not grow with them."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.base.engine import thread_count
from pneumonia.base.errors import UserError
from pneumonia.images.depth import Values, choose_bits
from pneumonia.images.examine import Limits, read_values
from pneumonia.images.layout import ImageFile
from pneumonia.images.patience import LostError
from pneumonia.images.source import ImageSource
from pneumonia.model.lineage import Lineage
from pneumonia.pixels.decoding import Read, ReadingSettings, may_be_deep, read_image

# For files that were accepted before, perhaps under limits that a user set.
NO_LIMITS = Limits(min_side=1, max_pixels=sys.maxsize, words=None)
NO_MAX_FILE_BYTES = sys.maxsize

MOST_CHANNELS = 4  # a last axis no longer than this holds channels, not columns: no image is so narrow
CHUNK = 256  # images in memory at once; as many again are read ahead


@dataclass(frozen=True)
class Item:
    """An image to be read.

    Attributes:
        path: Its name in the table.
        read: Gives its bytes; may raise UserError.
        size: Of the file in bytes.
        problem: Why it is not read; empty if it is.
        bits: The range of its values, as `pneumonia.images.depth` says; 0: it has 8 bits, or it is not known yet.
    """

    path: str
    read: Callable[[], bytes]
    size: int = 0
    problem: str = ""
    bits: int = 0


def items_of(images: str | Path | ImageSource | npt.NDArray | Sequence) -> list[Item]:
    """List images, given in any way.

    Args:
        images: A path (image, folder, zip, fsspec address), an image source, an array, or a sequence of these or of
            items. An array is an image, grey `[h, w]` or `[h, w, 1]` or colour `[h, w, 3]`, or a stack of them,
            `[n, h, w]`, `[n, h, w, 1]` or `[n, h, w, 3]`; grey values are uint8 or uint16, colours uint8.

    Raises:
        UserError: If there is no image at a path, or an array has another shape or type.
    """
    if isinstance(images, np.ndarray):
        return [_array_item(array, f"array {number}") for number, array in enumerate(_single(images))]
    if isinstance(images, str | Path | ImageSource):
        source = _source(images)
        return [_file_item(source, file, "") for file in source.unlabelled]
    found: list[Item] = []
    for number, one in enumerate(images):
        if isinstance(one, Item):
            found.append(one)
        elif isinstance(one, np.ndarray):
            found += [_array_item(array, f"array {number}") for array in _single(one)]
        else:
            source = _source(one)
            is_file = [PurePath(source.address).name] == [file.path for file in source.unlabelled]
            prefix = source.address if is_file else f"{source.address}/"
            found += [_file_item(source, file, prefix) for file in source.unlabelled]
    return found


def _source(images: str | Path | ImageSource) -> ImageSource:
    return images if isinstance(images, ImageSource) else ImageSource(str(images))


def _file_item(source: ImageSource, file: ImageFile, prefix: str) -> Item:
    path = prefix if prefix.endswith(file.path) and prefix else prefix + file.path
    return Item(path, lambda: source.read_file(file), file.member.size, file.problem)


def _single(array: npt.NDArray) -> list[npt.NDArray]:
    """Take a stack of images apart, into `[h, w]` and `[h, w, 3]`."""
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] <= MOST_CHANNELS)
    stack = array[None] if is_image else array
    if stack.ndim == 4 and stack.shape[-1] == 1:
        stack = stack[..., 0]
    if (stack.ndim == 3 or (stack.ndim == 4 and stack.shape[-1] == 3)) and 0 not in stack.shape[1:]:
        return list(stack)
    raise UserError(
        f"An array of shape {array.shape} is not an image: give [height, width], [height, width, 1], "
        "[height, width, 3] or a stack [n, height, width], [n, height, width, 1], [n, height, width, 3]."
    )


def _array_item(array: npt.NDArray, name: str) -> Item:
    """Write an array as PNG without compression, so that it goes the way of every file."""
    if array.dtype not in (np.uint8, np.uint16):
        raise UserError(f"An array of {array.dtype} has no defined range: give uint8 (0 to 255) or uint16.")
    if array.ndim == 3 and array.dtype != np.uint8:
        raise UserError(f"Colours of {array.dtype} are not supported: give them in uint8, or grey values.")

    def read() -> bytes:
        content = io.BytesIO()
        Image.fromarray(array).save(content, "PNG", compress_level=0)
        return content.getvalue()

    return Item(f"{name}.png", read, array.nbytes)


def with_ranges(items: Sequence[Item], how: ReadingSettings) -> list[Item]:
    """Return the items with the ranges of those whose files do not say them: of the images of a folder and a device.

    Such files are read twice. Files of 8 bits by their suffix are not read here; a single file has its own range.
    """
    is_unknown = [not (item.bits or item.problem or item.size > how.max_file_bytes) for item in items]
    wanted = [item for item, one in zip(items, is_unknown, strict=True) if one and may_be_deep(item.path)]
    if len(items) < 2 or not wanted:
        return list(items)
    with ThreadPoolExecutor(thread_count()) as pool:
        try:
            values = list(pool.map(lambda item: _read_values(item, how.limits), wanted))
        finally:
            pool.shutdown(cancel_futures=True)
    # The number tells items of one path apart.
    paths = {id(item): f"{item.path}/{number}" for number, item in enumerate(wanted)}
    found = {paths[id(item)]: one for item, one in zip(wanted, values, strict=True) if one.detector}
    chosen = choose_bits(found)
    return [replace(item, bits=chosen.get(paths.get(id(item), ""), item.bits)) for item in items]


def _read_values(item: Item, limits: Limits) -> Values:
    """Return the values that the range of a file follows from; nothing, if it says its range or is refused."""
    try:
        return read_values(item.read(), limits)
    except LostError:
        raise
    except UserError:
        return Values()


def read_in_chunks(items: Sequence[Item], how: ReadingSettings) -> Iterator[list[Read]]:
    """Read, check and decode images on all cores, in order; while one chunk is scored, the next is read."""

    def read_one(item: Item) -> Read:
        return _read(item, how)

    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    with ThreadPoolExecutor(thread_count()) as pool:
        try:
            ahead: list[Future[Read]] = []
            for chunk in [*chunks, []]:
                current, ahead = ahead, [pool.submit(read_one, item) for item in chunk]
                if current:
                    yield [future.result() for future in current]
        finally:
            # Otherwise an interrupted run would wait until the chunk is read.
            pool.shutdown(cancel_futures=True)


def read_pixels(items: Sequence[Item], how: ReadingSettings) -> npt.NDArray[np.uint8]:
    """Read images that are known to be readable, uint8 `[n, size, size, 1]`.

    Raises:
        UserError: If one can no longer be read.
    """
    found = [read for chunk in read_in_chunks(items, how) for read in chunk]
    if gone := [f"{read.path}: {read.problem}" for read in found if read.pixels is None]:
        raise UserError(f"{len(gone):,} images changed since they were scored; the first: {gone[0]}. Run again.")
    if not found:
        return np.empty((0, how.image_size, how.image_size, 1), np.uint8)
    return np.stack([read.pixels for read in found if read.pixels is not None])[..., None]


def _read(item: Item, how: ReadingSettings) -> Read:
    if item.problem:
        return Read(item.path, "", item.problem, None)
    if item.size > how.max_file_bytes:
        return Read(item.path, "", f"more than {how.max_file_bytes:,} bytes", None)
    try:
        data = item.read()
    except LostError:
        raise
    except UserError as error:
        return Read(item.path, "", error.message, None)
    return read_image(data, item.path, how, item.bits)


def reading_of(lineage: Lineage) -> ReadingSettings:
    """Return how to read images that were accepted before, from the model's lineage."""
    return ReadingSettings(lineage["image_size"], lineage["resize"], NO_LIMITS, NO_MAX_FILE_BYTES)
