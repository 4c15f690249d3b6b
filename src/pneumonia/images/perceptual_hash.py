"""The perceptual hash: images that look alike have hashes that differ in few bits.

It is the usual DCT hash at 16 x 16 coefficients: the image at 32 x 32 grey values (area average), its two-dimensional
DCT-II, of that the 16 x 16 lowest frequencies without the mean, each one bit: above the median or not. 256 bits, not
64, because with 64 bits many different chest radiographs look the same.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.images.opening import to_grey

# Width and height of the grey values that are compared, in pixels.
SIDE = 32
# Number of DCT coefficients that are compared, in each direction.
_FREQUENCIES = 16
# Smallest width and height, in pixels, at which a JPEG is decoded for comparison.
_DRAFT_SIDE = 2 * SIDE


def grey_values(image: Image.Image) -> npt.NDArray[np.float64]:
    """Decode an image completely and return it as `[32, 32]` grey values, 0 to 255."""
    return shrink(decode_grey(image))


def decode_grey(image: Image.Image) -> Image.Image:
    """Decode an image completely, a JPEG at a fraction of its size, to 8 bits."""
    image.draft("L", (_DRAFT_SIDE, _DRAFT_SIDE))
    image.load()
    return to_grey(image)


def shrink(grey: Image.Image) -> npt.NDArray[np.float64]:
    """Return an image as `[32, 32]` grey values, 0 to 255."""
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)


def perceptual_hash(grey: npt.NDArray[np.float64]) -> str:
    """Return the hash of `[32, 32]` grey values as 64 hexadecimal digits; "" if they are all alike."""
    if grey.min() == grey.max():
        return ""
    transform = _dct_matrix()
    # Rounded, so that rounding errors, which differ between machines, decide no bit.
    coefficients = np.round(transform @ grey @ transform.T, 6).ravel()
    coefficients[0] = 0.0
    middle = len(coefficients) // 2 - 1
    return np.packbits(coefficients > np.partition(coefficients, middle)[middle]).tobytes().hex()


@cache
def _dct_matrix() -> npt.NDArray[np.float64]:
    """Return the first rows of the orthonormal DCT-II, `[16, 32]`."""
    frequency, place = np.arange(_FREQUENCIES)[:, None], np.arange(SIDE)
    matrix: npt.NDArray[np.float64] = np.cos(np.pi * frequency * (2 * place + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix
