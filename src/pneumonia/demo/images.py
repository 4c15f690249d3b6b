"""A folder of synthetic chest radiographs in the layout of Kaggle's data set, for demonstrations and tests.

They demonstrate the pipelines without patient data, and with lesions whose position is known. They say nothing about
how well a network reads real radiographs.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from pneumonia.base.errors import UserError
from pneumonia.base.files import PART, is_missing
from pneumonia.base.progress import follow
from pneumonia.demo.anatomy import draw_patient, draw_pose
from pneumonia.demo.canvas import Floats
from pneumonia.demo.radiograph import attenuation, draw_lesion, expose

GENERATOR_VERSION = 1  # raise it with every change that alters a byte of the images
MARKER = "demo_images.json"
LESIONS = "lesions.csv"
MIN_IMAGES = 40
TEST_SHARE, TEST_NORMAL_SHARE = 0.18, 0.375  # Kaggle: 234 of 624 test images are NORMAL
TRAIN_NORMAL_SHARE = 0.25
BACTERIA_SHARE = 0.65
GROUP_SIZES = {  # numbers of images per patient, and how often
    "NORMAL": ((1, 2, 3), (0.8, 0.15, 0.05)),
    "PNEUMONIA": ((1, 2, 3, 4, 6), (0.5, 0.25, 0.12, 0.08, 0.05)),
}
FIRST_IDS = {"IM": 115, "NORMAL2-IM": 383}
JPEG_QUALITY = 88

Box = tuple[float, float, float, float]  # left, top, right, bottom as fractions of the image


@dataclass(frozen=True)
class DemoImage:
    """One image to make."""

    path: str  # below the folder
    patient: int
    number: int  # among the images of the patient
    etiology: str | None  # bacteria or virus; None for NORMAL


def write_demo_images(folder: Path, n_images: int = 600, seed: int = 0) -> None:
    """Write synthetic radiographs in the layout of Kaggle's `chest-xray-pneumonia`, unless they exist.

    The images are `folder/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg`, with Kaggle's kinds of names, groups
    of several images of one patient, and about its share of each class. No patient of test is in train or
    val. `folder/lesions.csv` has the box around each bacterial focus: path, left, top, right, bottom as
    fractions of the image. Viral lesions are spread over both lungs and have no box.

    The same arguments give the same bytes with the same versions of NumPy and Pillow. The folder appears only when it
    is complete, so that a stopped run leaves no partial set.

    Args:
        folder: where to write; made with its parents. A folder made with other arguments is replaced.
        n_images: number of images, at least 40.
        seed: seed of every random draw.

    Raises:
        UserError: for fewer than 40 images, or if `folder` contains anything but demo images.
    """
    if n_images < MIN_IMAGES:
        raise UserError(f"{n_images} demo images are too few for every split. Ask for at least {MIN_IMAGES}.")
    marker = {"n_images": n_images, "seed": seed, "generator_version": GENERATOR_VERSION}
    if _is_whole(folder, marker):
        return
    with replaced_whole(folder, MARKER) as made:
        _write_all(made, plan_images(n_images, seed), seed)
        (made / MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")


@contextmanager
def replaced_whole(folder: Path, marker: str) -> Iterator[Path]:
    """Yield a folder to write images to, which takes the place of `folder` once it is complete.

    Raises:
        UserError: If `folder` contains anything, and no file that marks it as one of drawn images.
        OSError: If it cannot be told, as of a link that leads nowhere.
    """
    is_there = not is_missing(folder)
    if is_there and any(folder.iterdir()) and not (folder / marker).is_file():
        raise UserError(f"{folder} contains files other than demo images. Move it or name another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{PART}{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        yield made
        if is_there:
            folder.rename(Path(scratch) / "replaced")
        made.rename(folder)


def plan_images(n_images: int, seed: int) -> list[DemoImage]:
    """Which images there will be: paths, patients and etiologies, in the order of the patients."""
    rng = np.random.default_rng([seed, 0])
    n_test = round(TEST_SHARE * n_images)
    n_val = min(8, n_images // 20)  # of each class
    n_pool = n_images - n_test
    test_normal = round(TEST_NORMAL_SHARE * n_test)
    pool_normal = round(TRAIN_NORMAL_SHARE * (n_pool - 2 * n_val)) + n_val
    counts = {"NORMAL": (pool_normal, test_normal), "PNEUMONIA": (n_pool - pool_normal, n_test - test_normal)}
    images: list[DemoImage] = []
    used: Counter[str] = Counter(FIRST_IDS)
    for label, (pool, test) in counts.items():
        for splits in (["train"] * (pool - n_val) + ["val"] * n_val, ["test"] * test):
            drawn = list(_draw_groups(rng, label, used, len(images), len(splits)))
            images += [replace(i, path=f"{s}/{label}/{i.path}") for s, i in zip(splits, drawn, strict=True)]
    return images


def _draw_groups(
    rng: np.random.Generator, label: str, used: Counter[str], first: int, count: int
) -> Iterator[DemoImage]:
    """Draw `count` images, patient by patient, with names that `used` has not counted yet.

    A patient's number is `first` plus the number of images drawn before: unique, though not without gaps.
    """
    done = 0
    while done < count:
        size = min(int(rng.choice(GROUP_SIZES[label][0], p=GROUP_SIZES[label][1])), count - done)
        if label == "NORMAL":
            prefix = "IM" if rng.random() < 0.5 else "NORMAL2-IM"
            stem = f"{prefix}-{used[prefix]:04d}-0001"
            used[prefix] += 1
            names = [stem] + [f"{stem}-{number:04d}" for number in range(2, size + 1)]
        else:
            prefix = "bacteria" if rng.random() < BACTERIA_SHARE else "virus"
            used[prefix] += 1
            stem, before = f"person{used[prefix]}_{prefix}", used[f"{prefix} images"]
            names = [f"{stem}_{before + number}" for number in range(1, size + 1)]
            used[f"{prefix} images"] += size
        etiology = None if label == "NORMAL" else prefix
        for number, name in enumerate(names):
            yield DemoImage(f"{name}.jpeg", first + done, number, etiology)
        done += size


def make_image(image: DemoImage, seed: int, strength: float = 1.0) -> tuple[Image.Image, Box | None]:
    """Make one greyscale image and, if it has a bacterial focus, the box around it.

    Args:
        image: Which.
        seed: Of the set.
        strength: Of a lesion; below 1 it is fainter than in the set of the demo.
    """
    of_patient = np.random.default_rng([seed, 1, image.patient])
    of_image = np.random.default_rng([seed, 2, image.patient, image.number])
    patient = draw_patient(of_patient)
    aspect, height = of_image.uniform(1.0, 1.5), int(of_image.uniform(300, 420))
    pose, course = draw_pose(of_image, aspect), of_image.uniform(0.85, 1.05)  # a lesion grows and heals
    lesion = draw_lesion(of_patient, image.etiology) if image.etiology else None
    lesion = lesion and replace(lesion, strength=lesion.strength * course * strength)
    signal, lost = attenuation(patient, pose, lesion, seed=int(of_image.integers(2**31)))
    picture = expose(signal, (round(height * aspect), height), of_image)
    return picture, bounding_box(lost) if image.etiology == "bacteria" else None


def bounding_box(layer: Floats) -> Box:
    """The box, as fractions of the layer, around all values above 0.35 of the greatest."""
    strong = layer > 0.35 * layer.max()
    rows, cols = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    height, width = layer.shape
    return (
        float(cols[0] / width),
        float(rows[0] / height),
        float((cols[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def _write_all(folder: Path, images: list[DemoImage], seed: int) -> None:
    """Write images and boxes; the result does not depend on the number of threads."""
    for parent in {(folder / image.path).parent for image in images}:
        parent.mkdir(parents=True)

    def write(image: DemoImage) -> Box | None:
        picture, box = make_image(image, seed)
        picture.save(folder / image.path, "JPEG", quality=JPEG_QUALITY)
        advance(1)
        return box

    with (
        ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads,
        follow(len(images), "Drawing radiographs") as advance,
    ):
        boxes = dict(zip((image.path for image in images), threads.map(write, images), strict=True))
    with (folder / LESIONS).open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["path", "left", "top", "right", "bottom"])
        rows.writerows([path, *(f"{edge:.4f}" for edge in box)] for path, box in sorted(boxes.items()) if box)


def _is_whole(folder: Path, marker: dict[str, int]) -> bool:
    """Whether the folder has this marker and as many images as that names."""
    path = folder / MARKER
    if not path.is_file() or path.read_text(encoding="utf-8") != json.dumps(marker) + "\n":
        return False
    return (folder / LESIONS).is_file() and sum(1 for _ in folder.glob("*/*/*.jpeg")) == marker["n_images"]
