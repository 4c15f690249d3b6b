"""From a child, a pose and a lesion to the grey values of one synthetic radiograph.

Brightness follows the display of a digital radiograph: the logarithm of the dose at the detector, a spatial
filter, a tone curve, quantum noise. The tone curve is set so that the mean brightness comes from one
distribution for all classes; only structure tells them apart.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pneumonia.demo import anatomy
from pneumonia.demo.canvas import Canvas, Floats, Pose, sigmoid


@dataclass(frozen=True)
class Lesion:
    """A pneumonia: bacteria is a focal consolidation, virus interstitial and in both lungs."""

    etiology: str
    strength: float  # largest share of the air that is lost
    centre: tuple[float, float]
    radii: tuple[float, float]
    fissure: float  # the focus does not reach below this y; nan: no such border
    seed: int


AIR = 0.95  # contrast between air and soft tissue
FOCI = (  # lobes of bacterial foci: share, centre and radii (body units), fissure
    (0.46, (-0.33, 0.25), (0.21, 0.17), 0.4),
    (0.20, (-0.34, 0.62), (0.19, 0.16), np.nan),
    (0.08, (-0.28, 0.57), (0.19, 0.16), np.nan),
    (0.14, (0.46, 0.62), (0.18, 0.21), np.nan),
    (0.12, (0.34, 0.28), (0.2, 0.19), np.nan),
)


def draw_lesion(rng: np.random.Generator, etiology: str) -> Lesion:
    """A lesion of the etiology bacteria or virus."""
    lobe = rng.choice(len(FOCI), p=[share for share, *_ in FOCI])
    _, centre, radii, fissure = FOCI[lobe]
    size = rng.uniform(1.0, 1.4)
    return Lesion(
        etiology=etiology,
        strength=rng.uniform(0.9, 1.1),
        centre=(centre[0] + rng.normal(0, 0.04), centre[1] + rng.normal(0, 0.05)),
        radii=(radii[0] * size, radii[1] * size * rng.uniform(0.85, 1.2)),
        fissure=fissure if rng.random() < 0.5 else np.nan,
        seed=int(rng.integers(2**31)),
    )


def consolidation(canvas: Canvas, lesion: Lesion) -> Floats:
    """Share of air lost in a focal consolidation with air bronchograms."""
    rng = np.random.default_rng(lesion.seed)
    x, y = canvas.x - np.float32(lesion.centre[0]), canvas.y - np.float32(lesion.centre[1])
    distance = np.sqrt((x / lesion.radii[0]) ** 2 + (y / lesion.radii[1]) ** 2)
    ragged = distance + 0.2 * canvas.noise(rng, 0.13) + 0.1 * canvas.noise(rng, 0.05)
    share = sigmoid((1 - ragged) / np.float32(0.14))
    if not np.isnan(lesion.fissure):
        share *= sigmoid((np.float32(lesion.fissure) + 0.12 * (x + 0.1) - canvas.y) / np.float32(0.008))
    patchy = np.clip(0.92 + 0.1 * canvas.noise(rng, 0.07), 0, 1)
    bronchi = np.clip(anatomy.vessel_tree(canvas, rng, 16, 0.013), 0, 1)
    same_side = canvas.x * lesion.centre[0] > 0
    return lesion.strength * share * patchy * (1 - 0.25 * bronchi) * same_side


def interstitial(canvas: Canvas, lesion: Lesion) -> Floats:
    """Share of air lost to thickened bronchial walls, a net of interstitial lines and haze in both lungs."""
    rng = np.random.default_rng(lesion.seed)
    centre = np.hypot((np.abs(canvas.x) - 0.2) / 0.36, (canvas.y - 0.5) / 0.45)
    spread = (np.exp(-0.9 * centre**2) + 0.3) * np.clip(1 + 0.35 * canvas.noise(rng, 0.25), 0, 2)
    streaks = np.clip(anatomy.vessel_tree(canvas, rng, 44, 0.015, crook=0.16), 0, 0.8)
    net = np.exp(-(canvas.noise(rng, 0.03) ** 2) / 0.25)
    haze = np.clip(0.5 + 0.4 * canvas.noise(rng, 0.16), 0, 1)
    return lesion.strength * spread * (0.42 * streaks + 0.2 * net + 0.3 * haze)


def foreign_bodies(canvas: Canvas, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points of leads with electrodes, and of folds of cloth and skin; often none."""
    t = np.linspace(0, 1, 200, dtype=np.float32)[None, :]
    leads, folds = np.zeros(canvas.shape, np.float32), np.zeros(canvas.shape, np.float32)
    for _ in range(rng.choice([0, 1, 2, 3], p=[0.72, 0.14, 0.09, 0.05])):
        (x0, x1), (y0, y1) = rng.uniform(-0.55, 0.55, 2), (rng.uniform(0.05, 0.9), 1.4)
        sway = rng.uniform(-0.25, 0.25, 2)
        x = x0 + (x1 - x0) * t**1.5 + sway[0] * np.sin(np.pi * t) + sway[1] * np.sin(2 * np.pi * t)
        knob = 1 + 4 * np.exp(-t / 0.012)
        leads += canvas.curves(x, y0 + (y1 - y0) * t + 0.3 * sway[1] * np.sin(np.pi * t), 0.0, 0.006, knob)
    for _ in range(rng.choice([0, 1, 2], p=[0.5, 0.3, 0.2])):
        x0 = rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 0.6)
        x = x0 + rng.uniform(-0.25, 0.25) * t + 0.04 * np.sin(3 * t)
        folds += canvas.curves(x, rng.uniform(0, 0.7) + 0.6 * t, 0.0, 0.02)
    return leads, folds


def overlying_shadow(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """Thickness of something outside of the chest that looks dense: a fold, a hand, bedding."""
    x0, y0 = rng.choice([-1, 1]) * rng.uniform(0.3, 0.75), rng.uniform(-0.05, 0.95)
    a, b, tilt = rng.uniform(0.12, 0.3), rng.uniform(0.25, 0.6), rng.uniform(-0.7, 0.7)
    cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
    dx, dy = canvas.x - x0, canvas.y - y0
    u, v = (cos * dx + sin * dy) / a, (cos * dy - sin * dx) / b
    return rng.uniform(0.03, 0.11) * sigmoid((1 - np.sqrt(u * u + v * v)) / rng.uniform(0.03, 0.12))


def attenuation(patient: anatomy.Patient, pose: Pose, lesion: Lesion | None, seed: int) -> tuple[Floats, Floats]:
    """Attenuation after the display's spatial filter, and the lesion's part before it, [height, width]."""
    canvas, rng = Canvas(pose), np.random.default_rng(seed)
    air = anatomy.lung_air(canvas, patient)
    lost = np.zeros(canvas.shape, np.float32)
    if lesion is not None:
        share = (consolidation if lesion.etiology == "bacteria" else interstitial)(canvas, lesion)
        lost = AIR * air * np.clip(share, 0, 0.95)
    body = anatomy.soft_tissue(canvas, patient)
    for x, y, radius, amount in patient.gas:
        distance = np.hypot(canvas.x - x, 1.3 * (canvas.y - y)) / radius
        body -= 0.5 * amount * np.maximum(1 - distance**2, 0) ** 0.7 * (body > 0.3)
    clavicles, blades, arms = anatomy.shoulders(canvas, patient)
    leads, folds = foreign_bodies(canvas, rng)
    bone = 0.13 * patient.bone
    drawn = canvas.tubes(
        (bone * (anatomy.ribs(canvas, patient) + 1.2 * clavicles), patient.rib_radius, 0.75),
        (1.6 * bone * arms, 0.036, 0.7),
        (0.5 * bone * blades - 0.12 * anatomy.airways(canvas) + 0.05 * folds, 0.022, 0.0),
        (0.3 * leads, 0.006, 0.0),
    )
    vessels = anatomy.vessel_tree(canvas, np.random.default_rng(patient.vessel_seed), 22, 0.02)
    grain = 1 + 0.04 * canvas.noise(rng, 0.04) + 0.05 * canvas.noise(rng, 0.25)
    total = body - AIR * air * grain + lost + 0.3 * patient.vessels * air * np.minimum(vessels, 0.9)
    total += drawn + 0.17 * patient.bone * anatomy.spine(canvas, patient)
    if rng.random() < 0.45:
        total += overlying_shadow(canvas, rng)
    filtered = np.maximum(total, 0) - 0.3 * canvas.blurred((total, 0.12))
    return canvas.crop(filtered), canvas.crop(lost)


def tone(signal: Floats, mean: float) -> Floats:
    """Grey values 0 to 1 of an attenuation: window, then the gamma that gives the wanted mean."""
    low, high = np.quantile(signal[::6, ::6], [0.005, 0.997]).tolist()
    low = max(low, 0.0)  # nothing is darker than no tissue at all
    grey = np.clip((signal - low) / (high - low), 0, 1)
    grey = grey * (1.15 - 0.3 * grey)
    sample, gammas = grey[::6, ::6], np.geomspace(0.4, 2.5, 24, dtype=np.float32)
    means = np.power(sample, gammas[:, None, None]).mean((1, 2))
    return np.power(grey, np.interp(-mean, -means, gammas).astype(np.float32))


def expose(signal: Floats, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A greyscale image of the given width and height: tone, quantum noise, collimator, burned-in letter."""
    grey = tone(signal, rng.uniform(0.36, 0.58))
    grain = rng.standard_normal((int(0.7 * size[1]), int(0.7 * size[0])), dtype=np.float32)
    pixels, noise = (np.asarray(Image.fromarray(a).resize(size, Image.Resampling.BICUBIC)) for a in (grey, grain))
    pixels = pixels + rng.uniform(0.008, 0.03) * (0.35 + pixels) * noise
    if rng.random() < 0.3:
        left, right = rng.integers(0, size[0] // 14, 2)
        pixels[:, :left] = pixels[:, size[0] - right :] = 0.01
    result = Image.fromarray((np.clip(pixels, 0, 1) * 250 + 2).astype(np.uint8))
    if rng.random() < 0.9:
        font = ImageFont.load_default(int(size[1] * rng.uniform(0.035, 0.075)))
        place = (size[0] * rng.uniform(0.01, 0.07), size[1] * rng.uniform(0.02, 0.4))
        ImageDraw.Draw(result).text(place, "R", fill=int(rng.integers(190, 250)), font=font)
    return result
