"""Colour photographs made by a program: landscapes with sky, hills, houses and trees."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 640, 480  # pixels
Point = tuple[float, float]
Colour = tuple[int, int, int]


def draw_photograph(seed: int) -> Image.Image:
    """Draw a landscape, RGB, 640 x 480 pixels."""
    rng = np.random.default_rng(seed)
    horizon = rng.uniform(0.3, 0.65) * HEIGHT
    picture = _sky(rng, horizon)
    pen = ImageDraw.Draw(picture)
    for depth in range(3):
        ridge = horizon + (depth - 1) * 35 + _ridge(rng)
        shade = rng.integers((40, 80, 30), (110, 150, 90)) - 12 * depth
        pen.polygon([(0, HEIGHT), *enumerate(ridge.tolist()), (WIDTH, HEIGHT)], fill=_colour(shade))
    for _ in range(rng.integers(1, 5)):
        _house(pen, rng, (rng.uniform(0, WIDTH), rng.uniform(horizon + 30, HEIGHT)), rng.uniform(30, 120))
    for _ in range(rng.integers(3, 12)):
        _tree(pen, rng, (rng.uniform(0, WIDTH), rng.uniform(horizon + 20, HEIGHT)), rng.uniform(20, 90))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5))), np.float32)
    grain = rng.normal(0, rng.uniform(3, 9), (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(blurred + grain, 0, 255).astype(np.uint8))


def _sky(rng: np.random.Generator, horizon: float) -> Image.Image:
    """Return a picture of a sky that grows paler towards the horizon, with a sun and clouds."""
    height = np.linspace(0, HEIGHT / horizon, HEIGHT)[:, None, None]
    top, low = rng.integers((40, 90, 160), (110, 160, 240)), rng.integers((170, 180, 190), (250, 240, 255))
    fade = np.broadcast_to(top + (low - top) * np.minimum(height, 1), (HEIGHT, WIDTH, 3))
    picture = Image.fromarray(fade.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    x, y, radius = rng.uniform(0, WIDTH), rng.uniform(0, horizon), rng.uniform(15, 40)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 200))
    for _ in range(rng.integers(0, 9)):
        x, y, width = rng.uniform(0, WIDTH), rng.uniform(0, 0.7 * horizon), rng.uniform(40, 160)
        pen.ellipse((x - width, y - width / 4, x + width, y + width / 4), fill=(246, 246, 250))
    return picture


def _ridge(rng: np.random.Generator) -> np.ndarray:
    """Return the height of a ridge of hills over the width, in pixels, `[640]`."""
    x = np.arange(WIDTH) / WIDTH
    waves = [rng.uniform(4, 28) * np.sin(2 * np.pi * (k * x + rng.random())) / k for k in (1, 2, 3, 5)]
    return np.sum(waves, axis=0)


def _house(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, size: float) -> None:
    x, y = at
    pen.rectangle((x, y - size, x + 1.3 * size, y), fill=_colour(rng.integers(120, 250, 3)))
    roof = [(x - 0.1 * size, y - size), (x + 0.65 * size, y - 1.6 * size), (x + 1.4 * size, y - size)]
    pen.polygon(roof, fill=_colour(rng.integers((120, 30, 20), (200, 90, 70))))
    for column in (0.2, 0.8):
        pen.rectangle(
            (x + column * size, y - 0.8 * size, x + (column + 0.25) * size, y - 0.5 * size), fill=(50, 60, 80)
        )


def _tree(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, size: float) -> None:
    x, y = at
    pen.rectangle((x - 0.06 * size, y - 0.5 * size, x + 0.06 * size, y), fill=(90, 60, 40))
    pen.ellipse((x - 0.4 * size, y - 1.3 * size, x + 0.4 * size, y - 0.3 * size),
                fill=_colour(rng.integers((20, 60, 20), (90, 150, 70))))  # fmt: skip


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
