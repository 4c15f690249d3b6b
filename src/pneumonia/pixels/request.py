"""The images that a pixel store is to hold, and their decoding, in threads or on a cluster."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumonia.base.engine import LOCAL, map_all
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import InputsParameters
from pneumonia.base.study_parameters import EngineParameters
from pneumonia.images.depth import key_of
from pneumonia.images.patience import LostError
from pneumonia.images.source import ImageSource
from pneumonia.pixels.decoding import Resize, decode_image

# Images that are decoded in one go.
CHUNK_IMAGES = 64


@dataclass(frozen=True)
class PixelRequest:
    """The images that a store is to hold, and how to read them.

    Attributes:
        paths: Path of each image, as `read` takes it.
        sha256s: SHA-256 of each file, in hexadecimal.
        image_size: Width and height of the pixels.
        resize: How an image that is not square becomes square.
        read: Gives the bytes of the file at a path. Called from several threads; for a cluster, a method of an
            `ImageSource`.
        engine: Where images are decoded.
        bits: The range of each image, as `pneumonia.images.depth` says; empty if all have 8 bits.
    """

    paths: tuple[str, ...]
    sha256s: tuple[str, ...]
    image_size: int
    resize: Resize
    read: Callable[[str], bytes]
    engine: EngineParameters = LOCAL
    bits: tuple[int, ...] = ()

    @cached_property
    def images(self) -> dict[str, "Image"]:
        """The images by what names their pixels in a store."""
        bits = self.bits or (0,) * len(self.paths)
        images = (Image(*one) for one in zip(self.sha256s, self.paths, bits, strict=True))
        return {key_of(image.sha256, image.bits): image for image in images}


class Image(NamedTuple):
    """An image that is to be decoded."""

    sha256: str
    path: str
    bits: int


def request_pixels(
    source: ImageSource, rows: pd.DataFrame, parameters: InputsParameters, engine: EngineParameters = LOCAL
) -> PixelRequest:
    """Request the pixels of images; the store decodes those that it lacks.

    Args:
        source: The image files.
        rows: One row per image, with path, sha256 and, if any image has 16 bits or is DICOM, bits.
        parameters: Size of the pixels and resize method.
        engine: Where images are decoded.
    """
    paths, sha256s, bits = (tuple(rows.get(name, ())) for name in ("path", "sha256", "bits"))
    return PixelRequest(paths, sha256s, parameters.image_size, parameters.resize, source.read, engine, bits)


class ImageChunk(NamedTuple):
    """Images that are decoded together."""

    read: Callable[[str], bytes]
    images: tuple[Image, ...]
    image_size: int
    resize: Resize


class Decoded(NamedTuple):
    """The pixels of a chunk, uint8 `[n, size, size]`, and the problems of images without pixels."""

    pixels: npt.NDArray[np.uint8]
    failed: list[str]


def decode_chunk(chunk: ImageChunk) -> Decoded:
    """Decode the images of a chunk."""
    pixels, failed = np.zeros((len(chunk.images), chunk.image_size, chunk.image_size), np.uint8), []
    for number, (sha256, path, bits) in enumerate(chunk.images):
        try:
            data = chunk.read(path)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise UserError("It was changed since the images were listed.")
            pixels[number] = decode_image(data, chunk.image_size, chunk.resize, bits)
        except LostError:
            raise
        except UserError as error:
            failed.append(f"{path}: {error.message}")
        except OSError as error:
            failed.append(f"{path}: It cannot be read ({error}).")
    return Decoded(pixels, failed)


def decode_all(
    request: PixelRequest, images: Sequence[Image], advance: Callable[[int], None]
) -> Iterator[npt.NDArray[np.uint8]]:
    """Decode images on all cores, or on a cluster, in order.

    Args:
        request: How, and where.
        images: Which.
        advance: Is told how many are done.

    Yields:
        Pixels, uint8 `[k, size, size]`, of the next k images.

    Raises:
        UserError: At the end, naming the images that could not be decoded.
    """
    parts = (images[start : start + CHUNK_IMAGES] for start in range(0, len(images), CHUNK_IMAGES))
    chunks = (ImageChunk(request.read, tuple(part), request.image_size, request.resize) for part in parts)
    failed: list[str] = []
    with closing(map_all(decode_chunk, chunks, request.engine)) as decoded:
        for pixels, faults in decoded:
            failed += faults
            advance(len(pixels))
            yield pixels
    if failed:
        raise UserError(
            f"{len(failed):,} images cannot be used; the first: {'; '.join(failed[:3])} "
            "Fix or remove them and run again from the start, so that the images are listed again."
        )
