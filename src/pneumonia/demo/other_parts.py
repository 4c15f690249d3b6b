"""Radiographs of other parts of the body, drawn as the demo draws chests: what a chest model must not judge."""

from itertools import pairwise

import numpy as np
from PIL import Image

from pneumonia.demo.anatomy import Pose
from pneumonia.demo.canvas import Canvas, Floats
from pneumonia.demo.radiograph import expose

SIDE = 480  # pixels of the finished image
CANVAS = 216  # pixels of the canvas
# Where a finger begins and ends (x, y), in heights of the image: thumb, index, middle, ring, little finger.
FINGERS = (
    ((-0.10, 0.30), (-0.34, -0.02)),
    ((-0.10, 0.26), (-0.17, -0.34)),
    ((-0.02, 0.25), (-0.02, -0.41)),
    ((0.06, 0.26), (0.12, -0.35)),
    ((0.13, 0.29), (0.25, -0.21)),
)
JOINTS = np.array([0.0, 0.46, 0.72, 0.88, 1.0])  # along a finger, from the wrist to its tip
SOFT, BONE = 0.35, 0.8  # attenuation at a thickness of 1


def draw_hand(seed: int) -> Image.Image:
    """Draw a hand with its fingers spread, grey, 480 x 480 pixels."""
    rng = np.random.default_rng(seed)
    canvas = _canvas(rng)
    spread, size = rng.uniform(0.8, 1.2), rng.uniform(0.9, 1.1)
    soft, bone = np.zeros(canvas.shape, np.float32), np.zeros(canvas.shape, np.float32)
    for start, end in FINGERS:
        x, y = _line(np.array(start) * [spread, 1], np.array(end) * [spread, 1], size)
        soft += canvas.curves(x, y, 0.0, 0.05)
        for first, last in pairwise(JOINTS):
            part = slice(int(200 * (first + 0.015)), int(200 * (last - 0.015)))
            bone += canvas.curves(x[:, part], y[:, part], 0.0, 0.02)
    palm = np.exp(-(((canvas.x / 0.17) ** 2 + ((canvas.y - 0.18) / 0.2) ** 2) ** 3))
    forearm = np.exp(-((canvas.x / 0.1) ** 6)) * (canvas.y > 0.25)
    wrist = _shafts(canvas, [((-0.05, 0.42), (-0.06, 0.9)), ((0.05, 0.42), (0.06, 0.9))], 0.035)
    drawn = canvas.tubes((SOFT * soft, 0.05, 0.0), (BONE * bone, 0.02, 0.6), (BONE * wrist, 0.035, 0.6))
    return _exposed(canvas, drawn + 0.06 * np.maximum(palm, forearm), rng)


def draw_knee(seed: int) -> Image.Image:
    """Draw a knee from the front, grey, 480 x 480 pixels."""
    rng = np.random.default_rng(seed)
    canvas = _canvas(rng)
    width = rng.uniform(0.85, 1.15)
    thigh = _shafts(canvas, [((0.0, -0.9), (0.0, 0.9))], 0.26 * width)
    shafts = _shafts(canvas, [((0.0, -0.9), (0.0, -0.12)), ((-0.01, 0.14), (-0.01, 0.9))], 0.085 * width)
    fibula = _shafts(canvas, [((0.15 * width, 0.16), (0.13 * width, 0.9))], 0.035)
    ends = [((-0.08 * width, -0.1), (-0.07 * width, -0.04)), ((0.08 * width, -0.1), (0.07 * width, -0.04)),
            ((-0.08 * width, 0.05), (0.08 * width, 0.05))]  # fmt: skip
    condyles = _shafts(canvas, ends, 0.09 * width)
    drawn = canvas.tubes(
        (0.25 * SOFT * thigh, 0.26 * width, 0.0),
        (BONE * shafts, 0.085 * width, 0.75),
        (BONE * fibula, 0.035, 0.7),
        (0.5 * BONE * condyles, 0.09 * width, 0.2),
    )
    return _exposed(canvas, drawn, rng)


def _canvas(rng: np.random.Generator) -> Canvas:
    """Return a square canvas, one unit high, its origin in the middle."""
    pose = Pose(
        width=CANVAS, height=CANVAS, field=1.0, centre=(0.0, 0.0), tilt=rng.uniform(-0.2, 0.2), turn=0.0,
        inspiration=0.0, arms=(0.0, 0.0),
    )  # fmt: skip
    return Canvas(pose)


def _line(start: Floats, end: Floats, size: float) -> tuple[Floats, Floats]:
    """Return 200 points on a line, `[1, 200]` each."""
    t = np.linspace(0, 1, 200, dtype=np.float32)[None, :]
    return size * (start[0] + (end[0] - start[0]) * t), size * (start[1] + (end[1] - start[1]) * t)


def _shafts(canvas: Canvas, lines: list[tuple[tuple[float, float], tuple[float, float]]], radius: float) -> Floats:
    layer = np.zeros(canvas.shape, np.float32)
    for start, end in lines:
        x, y = _line(np.array(start), np.array(end), 1.0)
        layer += canvas.curves(x, y, 0.0, radius)
    return layer


def _exposed(canvas: Canvas, attenuation: Floats, rng: np.random.Generator) -> Image.Image:
    grain = 1 + 0.05 * canvas.noise(rng, 0.05)
    return expose(canvas.crop(np.maximum(attenuation, 0) * grain), (SIDE, SIDE), rng)
