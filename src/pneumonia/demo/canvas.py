"""The image plane on which the synthetic radiographs are drawn: points, tubes, blur and noise.

Lengths are in body units: 1 is the height of the rib cage, the origin is the top of the lungs in the midline,
x grows to the right of the image (the patient's left), y downwards, z towards the patient's front.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]

WORKING_PIXELS = 216  # longer side of the canvas; small enough for speed, finer than the networks' input
MARGIN = 12  # pixels around the canvas, at least: FFT filters wrap structures to the other side
MULTIPLE = 24  # sides of the canvas are multiples of this, for a fast FFT


@dataclass(frozen=True)
class Pose:
    """How the child lay in one image: angles in radians, lengths in body units."""

    width: int  # pixels of the canvas
    height: int
    field: float  # height of the image
    centre: tuple[float, float]
    tilt: float  # turn in the image plane
    turn: float  # turn about the long axis of the body
    inspiration: float  # how much lower than average the diaphragm stands
    arms: tuple[float, float]  # angle of the right and the left upper arm above the horizontal


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


class Canvas:
    """Body coordinates of every pixel of one pose, and drawing in them."""

    def __init__(self, pose: Pose) -> None:
        """Lay the pose's field, with a margin, over the pixels."""
        self.pose = pose
        self.scale = pose.height / pose.field  # pixels per body unit
        rows, cols = (-(-(side + 2 * MARGIN) // MULTIPLE) * MULTIPLE for side in (pose.height, pose.width))
        self.shape = (rows, cols)
        row = np.arange(rows, dtype=np.float32)[:, None] - (rows - 1) / 2
        col = np.arange(cols, dtype=np.float32)[None, :] - (cols - 1) / 2
        self._cos, self._sin = float(np.cos(pose.tilt)), float(np.sin(pose.tilt))
        self.x: Floats = (self._cos * col + self._sin * row) / self.scale + pose.centre[0]
        self.y: Floats = (self._cos * row - self._sin * col) / self.scale + pose.centre[1]
        frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)[None, :])
        self._frequency = np.maximum(frequency, 1e-6).astype(np.float32)  # cycles per pixel

    def crop(self, layer: Floats) -> Floats:
        """The layer without its margin."""
        top, left = (self.shape[0] - self.pose.height) // 2, (self.shape[1] - self.pose.width) // 2
        return layer[top : top + self.pose.height, left : left + self.pose.width]

    def turned(self, x: Any, z: Any) -> Any:
        """x in the image of points (numbers or arrays) at depth z, once the body is turned."""
        return x * float(np.cos(self.pose.turn)) + z * float(np.sin(self.pose.turn))

    def points(self, x: Floats, y: Floats, mass: Floats) -> Floats:
        """A layer in which each point's mass (pixels squared) is shared among the four pixels around it."""
        dx, dy = x - self.pose.centre[0], y - self.pose.centre[1]
        col = self.scale * (self._cos * dx - self._sin * dy) + (self.shape[1] - 1) / 2
        row = self.scale * (self._cos * dy + self._sin * dx) + (self.shape[0] - 1) / 2
        inside = (col >= 0) & (row >= 0) & (col < self.shape[1] - 1) & (row < self.shape[0] - 1) & (mass > 0)
        col, row, mass = col[inside], row[inside], np.broadcast_to(mass, inside.shape)[inside]
        left, top = col.astype(np.int64), row.astype(np.int64)
        right_share, low_share = col - left, row - top
        first = top * self.shape[1] + left
        index = np.concatenate([first, first + 1, first + self.shape[1], first + self.shape[1] + 1])
        low, high = mass * low_share, mass * (1 - low_share)
        high_right, low_right = high * right_share, low * right_share
        masses = np.concatenate([high - high_right, high_right, low - low_right, low_right])
        layer = np.bincount(index, masses, self.shape[0] * self.shape[1])
        return layer.reshape(self.shape).astype(np.float32)

    def curves(self, x: Floats, y: Floats, z: Floats | float, radius: float, density: Floats | float = 1.0) -> Floats:
        """Points along curves [n, steps] in space that become tubes of this radius and mean density."""
        depth = np.broadcast_to(z, x.shape)
        length = np.sqrt(sum(np.gradient(axis, axis=-1) ** 2 for axis in (x, y, depth)))
        return self.points(self.turned(x, depth), y, length * density * 2 * radius * self.scale**2)

    def tubes(self, *parts: tuple[Floats, float, float]) -> Floats:
        """Layers of points, widened to balls of a radius (body units) and added: (layer, radius, marrow).

        A row of balls is a tube. `marrow` is the share of a bone's inside that is missing (0: solid), which
        makes its edges brighter. The Fourier transform of a ball of radius r at frequency f is
        3 (sin q - q cos q) / q^3 with q = 2 pi r f.
        """
        spectrum = sum(np.fft.rfft2(layer) * self._ball(radius, marrow) for layer, radius, marrow in parts)
        return np.fft.irfft2(spectrum, s=self.shape)

    def _ball(self, radius: float, marrow: float) -> Floats:
        def solid(r: float) -> Floats:
            q = np.maximum(2 * np.pi * r * self._frequency, 0.02)
            return 3 * (np.sin(q) - q * np.cos(q)) / q**3

        pixels, inner = max(radius * self.scale, 0.8), 0.72
        if marrow == 0:
            return solid(pixels)
        missing = marrow * inner**3
        return (solid(pixels) - missing * solid(inner * pixels)) / (1 - missing)

    def _bell(self, sigma: float) -> Floats:
        return np.exp(-2 * (np.pi * max(sigma * self.scale, 0.4) * self._frequency) ** 2)

    def blurred(self, *parts: tuple[Floats, float]) -> Floats:
        """The sum of layers, each blurred by a Gaussian: (layer, its sigma in body units)."""
        spectrum = sum(np.fft.rfft2(layer) * self._bell(sigma) for layer, sigma in parts)
        return np.fft.irfft2(spectrum, s=self.shape)

    def noise(self, rng: np.random.Generator, grain: float) -> Floats:
        """Smooth noise of mean 0 and deviation 1 whose grains are about `grain` body units wide."""
        pitch = max(grain * self.scale, 1.0)
        rows, cols = (int(side / pitch) + 2 for side in self.shape)
        coarse = Image.fromarray(rng.standard_normal((rows, cols), dtype=np.float32))
        layer = np.asarray(coarse.resize(self.shape[::-1], Image.Resampling.BICUBIC))
        return (layer - layer.mean()) / layer.std()
