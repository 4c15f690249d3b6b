"""A second drawn hospital, to which the demo's model is adapted: other patients, devices, tone, noise and framing.

Its patients are adults. Shadows of soft tissue lie over the lower lungs of many of them, ill or not, and its
pneumonias are fainter, so that a model which was trained on the first hospital takes shadows for pneumonia.

It has a planted shortcut, as real collections have: most patients with pneumonia were radiographed in bed, with a
portable device. Those images are cut more closely, have a dark border and carry a marker at the lower rim; the others
were taken standing. So a reader of rims alone tells the classes apart, and the report must say so.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pneumonia.base.progress import follow
from pneumonia.demo.images import BACTERIA_SHARE, JPEG_QUALITY, DemoImage, make_image, replaced_whole

GENERATOR_VERSION = 2  # raise it with every change that alters a byte of the images
MARKER = "second_hospital.txt"
FIRST_PATIENT = 50_000  # so that no patient is one of the first hospital's
PORTABLE_SHARES = {"NORMAL": 0.15, "PNEUMONIA": 0.85}
IMAGES_PER_PATIENT = ((1, 2, 3), (0.6, 0.3, 0.1))
STRENGTHS = (0.3, 0.6)  # of the lesions, relative to those of the first hospital
SHADOWED = 0.6  # share of the patients with shadows over the lower lungs


@dataclass(frozen=True)
class Taken:
    """One image to make, and whether it was taken in bed."""

    image: DemoImage
    is_portable: bool


def write_second_hospital(folder: Path, n_images: int, seed: int) -> None:
    """Write the radiographs of the second hospital, unless they exist.

    They are `folder/{NORMAL,PNEUMONIA}/PATIENT_NUMBER.jpeg`, half of each class. The same arguments give the same bytes
    with the same versions of NumPy and Pillow. The folder appears only when it is complete.

    Raises:
        UserError: If `folder` contains anything else.
    """
    marker = f"{GENERATOR_VERSION} {n_images} {seed}\n"
    if (folder / MARKER).is_file() and (folder / MARKER).read_text(encoding="utf-8") == marker:
        return
    with replaced_whole(folder, MARKER) as made:
        for label in PORTABLE_SHARES:
            (made / label).mkdir(parents=True)
        with follow(n_images, "Drawing radiographs") as advance:
            for taken in plan_second_hospital(n_images, seed):
                draw(taken, seed).save(made / taken.image.path, "JPEG", quality=JPEG_QUALITY)
                advance(1)
        (made / MARKER).write_text(marker, encoding="utf-8")


def plan_second_hospital(n_images: int, seed: int) -> list[Taken]:
    """Return which images there are: paths, patients, etiologies, and how they were taken."""
    rng = np.random.default_rng([seed, 3])
    planned: list[Taken] = []
    patient = FIRST_PATIENT
    for label, share in PORTABLE_SHARES.items():
        wanted = n_images // 2
        while wanted:
            count = min(int(rng.choice(IMAGES_PER_PATIENT[0], p=IMAGES_PER_PATIENT[1])), wanted)
            kind = None if label == "NORMAL" else "bacteria" if rng.random() < BACTERIA_SHARE else "virus"
            is_portable = bool(rng.random() < share)
            for number in range(count):
                path = f"{label}/{patient:08d}_{number:03d}.jpeg"
                planned.append(Taken(DemoImage(path, patient, number, kind), is_portable))
            patient, wanted = patient + 1, wanted - count
    return planned


def draw(taken: Taken, seed: int) -> Image.Image:
    """Draw one image as its hospital takes it."""
    rng = np.random.default_rng([seed, 4, taken.image.patient, taken.image.number])
    of_patient = np.random.default_rng([seed, 5, taken.image.patient])
    picture, _ = make_image(taken.image, seed, of_patient.uniform(*STRENGTHS))
    width, height = picture.size
    if of_patient.random() < SHADOWED:
        picture = _shadowed(picture, of_patient)
    if taken.is_portable:
        side, top = rng.uniform(0.04, 0.09, 2)
        box = (int(side * width), int(top * height), int((1 - side) * width), int((1 - top) * height))
        picture = picture.crop(box).resize((width, height), Image.Resampling.BICUBIC)
    grey = (np.asarray(picture, np.float32) / 255) ** rng.uniform(1.25, 1.7)
    noise = rng.uniform(0.02, 0.05) * rng.standard_normal(grey.shape, np.float32)
    result = Image.fromarray((np.clip(grey + noise, 0, 1) * 255).astype(np.uint8))
    if taken.is_portable:
        _mark(result, rng)
    return result


def _shadowed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lay two rounded shadows of soft tissue over the lower lungs, as dense as a lesion."""
    width, height = picture.size
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    thickness = np.zeros((height, width))
    for centre in (0.5 - rng.uniform(0.17, 0.25), 0.5 + rng.uniform(0.17, 0.25)):
        across, down = rng.uniform(0.11, 0.18), rng.uniform(0.15, 0.24)
        distance = np.hypot((x - centre) / across, (y - rng.uniform(0.55, 0.7)) / down)
        thickness = np.maximum(thickness, np.sqrt(np.clip(1.05 - distance**2, 0, 1)))
    grey = np.asarray(picture, np.float64)
    return Image.fromarray((grey + (245 - grey) * rng.uniform(0.15, 0.4) * thickness).astype(np.uint8))


def _mark(picture: Image.Image, rng: np.random.Generator) -> None:
    """Draw the dark border and the marker of the portable device."""
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    border = int(height * rng.uniform(0.03, 0.06))
    pen.rectangle((0, 0, width, border), fill=4)
    pen.rectangle((0, height - border, width, height), fill=4)
    font = ImageFont.load_default(int(height * 0.07))
    pen.text((width * rng.uniform(0.02, 0.5), height * 0.9), "PORTABLE", fill=240, font=font)
