"""The anatomy of the synthetic radiographs: a child's thorax as thicknesses of tissue along the rays.

Soft tissue adds up, air in the lungs is taken away, bones, airways and vessels are tubes in space. The
numbers are set by eye, to look like radiographs of children aged 1 to 5. Units and axes: see `demo_canvas`.
"""

from dataclasses import dataclass

import numpy as np

from pneumonia.demo.canvas import WORKING_PIXELS, Canvas, Floats, Pose, sigmoid

RIBS = 11
RIB_SPACING = 0.087
HILUM = (0.11, 0.46)


@dataclass(frozen=True)
class Patient:
    """What stays the same in all images of one child: lengths in body units, prominences 1 on average."""

    cage: float  # half the width of the rib cage
    fat: float  # soft tissue outside the rib cage
    waist: float  # how much the trunk bulges and narrows, share of its width
    heart: float
    heart_tilt: float  # radians
    domes: tuple[float, float]  # y of the right and the left dome of the diaphragm
    bone: float
    rib_radius: float
    rib_drop: float  # how far a rib falls from back to front
    spine_bend: float
    thymus: tuple[float, float]  # how far it reaches into the right and the left lung
    vessels: float
    vessel_seed: int
    gas: tuple[tuple[float, float, float, float], ...]  # x, y, radius, amount of gas in stomach and bowel


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw one child at random."""
    dome = rng.normal(0.80, 0.035)
    stomach = rng.uniform((0.22, 0.98, 0.06, 0.1), (0.42, 1.1, 0.14, 0.5))
    bowel = rng.uniform((-0.3, 1.1, 0.03, 0.05), (0.5, 1.3, 0.09, 0.3), (rng.integers(0, 6), 4))
    return Patient(
        cage=float(np.clip(rng.normal(0.655, 0.04), 0.56, 0.76)),
        fat=rng.uniform(0.05, 0.15),
        waist=rng.normal(-0.02, 0.03),
        heart=float(np.clip(rng.normal(1.0, 0.09), 0.8, 1.22)),
        heart_tilt=rng.normal(0.6, 0.12),
        domes=(dome, dome + rng.normal(0.035, 0.015)),
        bone=rng.uniform(0.75, 1.25),
        rib_radius=rng.uniform(0.015, 0.0195),
        rib_drop=rng.uniform(0.22, 0.38),
        spine_bend=rng.normal(0.0, 0.012),
        thymus=(max(0.0, rng.normal(-0.03, 0.06)), max(0.0, rng.normal(-0.03, 0.06))),
        vessels=rng.uniform(0.6, 1.5),
        vessel_seed=int(rng.integers(2**31)),
        gas=tuple(map(tuple, np.vstack([stomach, bowel]).tolist())),
    )


def draw_pose(rng: np.random.Generator, aspect: float) -> Pose:
    """Draw one position for an image of the given aspect ratio (width / height)."""
    arm = rng.choice([rng.uniform(0.7, 1.2), rng.uniform(-0.9, 0.3)])
    return Pose(
        width=round(WORKING_PIXELS * min(1.0, aspect)),
        height=round(WORKING_PIXELS * min(1.0, 1 / aspect)),
        field=rng.uniform(1.2, 1.5) * (1.0 if aspect > 1.15 else 1.1),
        centre=(rng.normal(0.0, 0.03), rng.normal(0.48, 0.035)),
        tilt=rng.normal(0.0, 0.045),
        turn=rng.normal(0.0, 0.07),
        inspiration=rng.normal(0.0, 0.03),
        arms=(arm + rng.normal(0, 0.15), arm + rng.normal(0, 0.15)),
    )


def cage_profile(y: Floats) -> Floats:
    """Width of the rib cage at height y as a share of its greatest width: a rounded bullet."""
    return np.sqrt(np.maximum(1 - np.square(1 - np.clip(y, 0, 1)), 0))


def soft_tissue(canvas: Canvas, patient: Patient) -> Floats:
    """Thickness of trunk, neck, head and arms."""
    x, y, wide = canvas.x, canvas.y, patient.cage + patient.fat
    heights = np.array([-0.9, -0.4, -0.26, -0.16, -0.04, 0.08, 0.3, 0.7, 1.1, 1.6])
    widths = np.array([0.3, 0.29, 0.36, 0.62, 0.92, 1.0, 1.0, 0.99, 1.0, 1.02]) * wide
    depths = np.array([0.5, 0.5, 0.52, 0.56, 0.66, 0.78, 0.92, 1.0, 1.02, 1.04]) * (0.85 + 1.0 * patient.fat)
    widths = widths * (1 + patient.waist * np.sin(2.5 * (heights - 0.1)) * (heights > 0.1))
    fine = np.linspace(-0.9, 1.6, 1001)
    bell = np.hanning(121) / np.hanning(121).sum()
    row = np.clip((y + 0.9) * 400, 0, 1000).astype(np.int32)
    tables = (np.pad(np.interp(fine, heights, known), 60, "edge") for known in (widths, depths))
    half, depth = (np.convolve(table, bell, "valid").astype(np.float32)[row] for table in tables)
    trunk = depth * depth * np.maximum(1 - (x / half) ** 2, 0)
    head = np.maximum(1 - (x / 0.36) ** 2 - ((y + 0.62) / 0.34) ** 2, 0)
    squares = trunk + 0.7 * head
    for side, angle in zip((-1, 1), canvas.pose.arms, strict=True):
        dx, dy = x - side * 0.86 * wide, y - 0.06
        ux, uy = side * float(np.cos(angle)), -float(np.sin(angle))
        along = np.clip(dx * ux + dy * uy, 0, 1)
        squared = (dx - along * ux) ** 2 + (dy - along * uy) ** 2
        squares += 5.8 * np.maximum((0.11 + 0.5 * patient.fat) ** 2 - squared, 0)
    return np.sqrt(squares)


def mediastinum_distance(canvas: Canvas, patient: Patient) -> Floats:
    """Signed distance (negative inside) to the joint outline of heart, great vessels and thymus."""
    x, y, size = canvas.x - canvas.turned(0.0, 0.25), canvas.y, patient.heart
    low = canvas.pose.inspiration + 0.5 * (patient.domes[0] - 0.8)
    right, left = patient.thymus
    ellipses = (  # centre, half axes, tilt: left ventricle, right atrium, great vessels, aortic knob, thymus
        (0.13 * size, 0.645 + low, 0.29 * size, 0.205 * size, patient.heart_tilt),
        (-0.02, 0.64 + low, 0.16, 0.19, 0.0),
        (0.02, 0.2, 0.105, 0.5, 0.0),
        (0.075, 0.29, 0.075, 0.07, 0.0),
        (-0.06, 0.28, 0.07 + right, 0.19, 0.0),
        (0.09, 0.36, 0.07 + left, 0.17, 0.0),
    )
    softness, total = 0.022, np.zeros(canvas.shape, np.float32)
    for cx, cy, a, b, tilt in ellipses:
        cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
        u, v = (cos * (x - cx) + sin * (y - cy)) / a, (cos * (y - cy) - sin * (x - cx)) / b
        total += np.exp(np.clip((1 - np.sqrt(u * u + v * v)) * (min(a, b) / softness), -40, 40))
    return -softness * np.log(total)


def lung_air(canvas: Canvas, patient: Patient) -> Floats:
    """Thickness of air in the lungs: in the cage, above the diaphragm, beside heart and mediastinum."""
    x, y = canvas.x, canvas.y
    out = np.abs(x) / patient.cage - 0.45
    right, left = (dome + canvas.pose.inspiration for dome in patient.domes)
    dome = np.where(x < 0, np.float32(right), np.float32(left))
    dome += np.where(out > 0, np.float32(0.6), np.float32(0.22)) * out * out
    above = sigmoid((dome - y) / 0.006)
    recess = 0.22 * np.exp(np.minimum(dome - y, 0) / 0.08)  # lung behind the dome
    profile = cage_profile(y)
    inner = np.maximum(profile * (0.985 * patient.cage), 1e-3)
    depth = 0.62 * np.sqrt(profile) * np.sqrt(np.sqrt(np.maximum(1 - np.square(np.square(x / inner)), 0)))
    heart = mediastinum_distance(canvas, patient)
    filled = sigmoid(-heart / 0.007) * (0.74 + 0.22 * np.clip(-heart / 0.1, 0, 1))
    beside = sigmoid((np.abs(x - canvas.turned(0.0, -0.3)) - 0.08) / 0.014)
    return depth * (above + (1 - above) * recess) * (1 - filled) * (0.1 + 0.9 * beside)


def ribs(canvas: Canvas, patient: Patient) -> Floats:
    """Points of the ribs: from the spine round the side to the front, where they fade into cartilage."""
    level = np.arange(RIBS, dtype=np.float32)[:, None]
    angle = np.linspace(0.04, 0.8, 200, dtype=np.float32)[None, :] * np.pi
    drop = patient.rib_drop * (0.5 + 0.5 * np.minimum(level / 5, 1))
    top = level * RIB_SPACING + 0.005
    y = top + drop * (1 - np.cos(angle)) / 2 - 0.03 * np.sin(2 * angle) + 0.008 * level * np.sin(angle)
    profile = cage_profile(top + drop / 2) * (1 - 0.03 * np.maximum(level - 8, 0))
    x, z = 0.04 + (patient.cage * profile - 0.04) * np.sin(angle), -0.3 * profile * np.cos(angle)
    end = np.pi * (0.78 - 0.1 * np.maximum(level - 6, 0))  # the lowest ribs are short
    density = np.clip((end - angle) / 0.15, 0, 1) * np.where(angle < 1.6, 1.0, 0.7)
    both = (np.concatenate([-x, x]), np.concatenate([y, y]), np.concatenate([z, z]))
    return canvas.curves(*both, patient.rib_radius, np.concatenate([density, density]))


def spine(canvas: Canvas, patient: Patient) -> Floats:
    """Density of the vertebrae: bodies with end plates, pedicles and spinous processes."""
    y = canvas.y
    x = canvas.x - canvas.turned(0.0, -0.3) - patient.spine_bend * np.sin(3 * y)
    phase = (y / RIB_SPACING) % 1 - 0.5
    squared = (0.5 - np.abs(phase)) ** 2
    half = 0.064 + 0.012 * np.clip(y, 0, 1) + 0.006 * np.exp(-squared / 0.02)
    body = sigmoid((half - np.abs(x)) / 0.009)
    disc, plate = np.exp(-squared / 0.01), np.exp(-((np.abs(phase) - 0.36) ** 2) / 0.003)
    pedicle = np.exp(-((np.abs(x) - 0.043) ** 2) / 0.0002 - (phase + 0.1) ** 2 / 0.02)
    spinous = np.exp(-(x**2) / 0.00012 - (phase - 0.25) ** 2 / 0.03)
    return body * (0.72 - 0.45 * disc + 0.16 * plate) + 0.3 * pedicle + 0.22 * spinous


def shoulders(canvas: Canvas, patient: Patient) -> tuple[Floats, Floats, Floats]:
    """Points of the clavicles, the edges of the shoulder blades, the upper arms."""
    t = np.linspace(0, 1, 160, dtype=np.float32)[None, :]
    wide = patient.cage + patient.fat
    side = np.array([[-1.0], [1.0]], np.float32)
    cos, sin = np.cos(canvas.pose.arms)[:, None], np.sin(canvas.pose.arms)[:, None]
    y = 0.085 - (0.10 + 0.07 * sin) * t - 0.024 * np.sin(2 * np.pi * t)
    clavicles = canvas.curves(side * (0.055 + (0.76 * wide - 0.055) * t), y, 0.3 - 0.3 * t, 0.018)
    out, bend = 0.05 * sin, 0.025 * np.sin(np.pi * t)
    tip_x, tip_y = 0.68 * wide + 2 * out, 0.42 - 0.04 * sin
    outer, inner = 0.82 * wide, 0.55 * wide + out  # x of the two upper corners; the tip points down
    edges = [outer + (tip_x - outer) * t + bend, inner + (tip_x - inner) * t + bend, inner + 0.27 * wide * t]
    x = np.concatenate([side * edge for edge in edges])
    y = np.concatenate([0.08 + (tip_y - 0.08) * t, 0.06 + (tip_y - 0.06) * t, 0.13 - 0.13 * t + 0 * side])
    blades = canvas.curves(x, y, 0.0, 0.016, 0.9 - 0.3 * t)
    along, head = 0.02 + 0.9 * t, 1 + 0.9 * np.exp(-t / 0.04)
    growth_plate = np.where(np.abs(t - 0.05) < 0.008, 0.4, head)
    arms = canvas.curves(side * (0.87 * wide + along * cos), 0.05 - along * sin, 0.0, 0.036, growth_plate)
    return clavicles, blades, arms


def airways(canvas: Canvas) -> Floats:
    """Points of the trachea and the main bronchi."""
    t = np.linspace(0, 1, 120, dtype=np.float32)
    x = np.stack([0.012 * np.sin(4 * t), -0.15 * t, 0.15 * t])
    y = np.stack([-0.6 + 0.96 * t, 0.35 + 0.14 * t, 0.35 + 0.12 * t])
    return canvas.curves(x, y, 0.05, 0.028, np.stack([0.7 + 0.3 * t, 0.6 - 0.45 * t, 0.6 - 0.45 * t]))


def branches(rng: np.random.Generator, count: int, crook: float) -> tuple[Floats, Floats, Floats]:
    """Paths that leave both hila and fork, [3 count, steps]: x, y and width (1 at the hilum, then less)."""
    steps = 40
    side = np.where(np.arange(count) % 2, 1.0, -1.0)[:, None]
    heading = np.linspace(-1.35, 1.35, count)[:, None] + rng.normal(0, 0.12, (count, 1))
    heading = heading + np.cumsum(rng.normal(0, crook, (count, steps)), axis=1)
    stride = 0.52 / steps * rng.uniform(0.6, 1.15, (count, 1))
    start_x = HILUM[0] + rng.normal(0, 0.02, (count, 1))
    start_y = HILUM[1] + 0.05 * heading[:, :1] + rng.normal(0, 0.03, (count, 1))
    x = side * (start_x + np.cumsum(np.cos(heading), axis=1) * stride)
    y = start_y + np.cumsum(np.sin(heading), axis=1) * stride
    width = np.linspace(1.0, 0.15, steps) * rng.uniform(0.6, 1.0, (count, 1))
    parent, fork = np.tile(np.arange(count), 2), rng.integers(5, 25, 2 * count)
    turn = rng.choice([-1, 1], (2 * count, 1)) * rng.uniform(0.3, 0.7, (2 * count, 1))
    angle = heading[parent, fork][:, None] + turn
    angle = angle + np.cumsum(rng.normal(0, crook, (2 * count, steps)), axis=1)
    step = 0.55 * stride[parent]
    child_x = x[parent, fork][:, None] + side[parent] * np.cumsum(np.cos(angle), axis=1) * step
    child_y = y[parent, fork][:, None] + np.cumsum(np.sin(angle), axis=1) * step
    child_width = width[parent, fork][:, None] * np.linspace(0.8, 0.15, steps)
    return np.concatenate([x, child_x]), np.concatenate([y, child_y]), np.concatenate([width, child_width])


def vessel_tree(canvas: Canvas, rng: np.random.Generator, count: int, radius: float, crook: float = 0.1) -> Floats:
    """Density of branching vessels or bronchi whose trunks have the given radius."""
    x, y, width = branches(rng, count, crook)
    thick = width > 0.4
    trunks = canvas.curves(x, y, 0.0, 0.7 * radius, width * thick)
    twigs = canvas.curves(x, y, 0.0, 0.25 * radius, width * ~thick)
    return canvas.blurred((trunks, 0.5 * radius), (twigs, 0.2 * radius))
