"""Images as they would look if the child had been framed differently: cut, widened, zoomed.

A framing is a window, measured in shares of the image's sides, that is stretched to the whole square. If the window
reaches beyond the image, the border is a reflection of the image or black. The lungs do not change; only their
position, their size and their surroundings do.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Border = Literal["reflected", "black"]
PAD_MODES: dict[Border, Literal["reflect", "constant"]] = {"reflected": "reflect", "black": "constant"}


@dataclass(frozen=True)
class Framing:
    """The window that fills the square: its edges as shares of the image's sides, 0 and 1 being the image's own."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0
    border: Border = "reflected"

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        if self.bottom <= self.top or self.right <= self.left:
            raise ValueError(f"{self} shows nothing")


def cut(top: float, side: float, kept: float) -> Framing:
    """Cut off the uppermost `top` of the rows, `side` of the columns on both sides, and the lowest `1 - kept`.

    Cutting off neck, shoulders and belly turns a loosely framed child into a tightly framed one.
    """
    return Framing(top, kept, side, 1 - side)


def widen(framing: Framing, border: Border = "reflected") -> Framing:
    """Undo a framing: show the whole image in the place of the framing's window, so that every landmark moves back.

    With `t` and `b` the edges of a window, the framing takes the height `y` to `(y - t) / (b - t)`. Its inverse is the
    window from `-t / (b - t)` to `(1 - t) / (b - t)`. What a cut removed cannot be known; the border replaces it.
    """
    height, width = framing.bottom - framing.top, framing.right - framing.left
    return Framing(
        -framing.top / height, (1 - framing.top) / height, -framing.left / width, (1 - framing.left) / width, border
    )


def zoom(factor: float, border: Border = "reflected") -> Framing:
    """Magnify about the centre: at 1.25 the inner 80% of the sides fill the square, at 0.75 a border is added."""
    margin = (1 - 1 / factor) / 2
    return Framing(margin, 1 - margin, margin, 1 - margin, border)


UNTOUCHED = Framing()


def reframe(images: npt.NDArray[np.uint8], framing: Framing) -> npt.NDArray[np.uint8]:
    """Show images through another window, resized to the square by antialiased bilinear interpolation.

    Args:
        images: uint8 `[n, size, size, 1]`; not changed.
        framing: The window.

    Returns:
        New images, uint8 `[n, size, size, 1]`.
    """
    size = images.shape[1]
    margin = math.ceil(size * max(0.0, -framing.top, framing.bottom - 1, -framing.left, framing.right - 1))
    padded = np.pad(images[..., 0], ((0, 0), (margin, margin), (margin, margin)), mode=PAD_MODES[framing.border])
    shares = (framing.left, framing.top, framing.right, framing.bottom)
    left, top, right, bottom = (size * share + margin for share in shares)
    reframed = np.empty_like(images)
    for row, image in enumerate(padded):
        # Pillow's bilinear filter widens with the step between pixels, which prevents aliasing.
        window = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        reframed[row, ..., 0] = np.asarray(window)
    return reframed
