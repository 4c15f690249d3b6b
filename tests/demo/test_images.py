import csv
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumonia.base.errors import UserError
from pneumonia.demo.anatomy import draw_patient, draw_pose
from pneumonia.demo.images import DemoImage, bounding_box, make_image, plan_images, write_demo_images
from pneumonia.demo.radiograph import attenuation, draw_lesion

PNEUMONIA_NAME = re.compile(r"person(\d+)_(bacteria|virus)_(\d+)\.jpeg")
NORMAL_NAME = re.compile(r"(IM|NORMAL2-IM)-(\d{4})-0001(-\d{4})?\.jpeg")


def key(path: str) -> tuple[str, str]:
    name = Path(path).name
    if match := PNEUMONIA_NAME.fullmatch(name):
        return match[2], match[1]
    match = NORMAL_NAME.fullmatch(name)
    assert match, name
    return match[1], match[2]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def read_boxes(folder: Path) -> dict[str, tuple[float, ...]]:
    with (folder / "lesions.csv").open(encoding="utf-8", newline="") as stream:
        return {row.pop("path"): tuple(map(float, row.values())) for row in csv.DictReader(stream)}


def mean_in(pixels: np.ndarray, box: tuple[float, ...]) -> float:
    height, width = pixels.shape
    left, top, right, bottom = np.multiply(box, (width, height, width, height)).astype(int)
    return float(pixels[top:bottom, left:right].mean())


def mirrored(box: tuple[float, ...]) -> tuple[float, ...]:
    left, top, right, bottom = box
    return 1 - right, top, 1 - left, bottom


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo") / "images"
    write_demo_images(made, n_images=240, seed=0)
    return made


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("small") / "images"
    write_demo_images(made, n_images=40, seed=0)
    return made


def test_the_same_arguments_give_the_same_bytes(small_folder: Path, tmp_path: Path):
    write_demo_images(tmp_path / "again", n_images=40, seed=0)
    assert content(tmp_path / "again") == content(small_folder)


def test_another_seed_gives_other_images():
    image = DemoImage("train/NORMAL/IM-0115-0001.jpeg", patient=0, number=0, etiology=None)
    first, second = (np.asarray(make_image(image, seed)[0].resize((64, 64)), float) for seed in (0, 1))
    assert np.abs(first - second).mean() > 10


def test_600_images_are_split_and_labelled_in_about_kaggles_shares():
    counts = Counter(tuple(image.path.split("/")[:2]) for image in plan_images(600, seed=0))
    assert counts == {
        ("train", "NORMAL"): 119,
        ("train", "PNEUMONIA"): 357,
        ("val", "NORMAL"): 8,
        ("val", "PNEUMONIA"): 8,
        ("test", "NORMAL"): 40,
        ("test", "PNEUMONIA"): 68,
    }


@pytest.mark.parametrize("n_images", [40, 41, 99, 1000])
def test_every_size_has_all_splits_and_classes_and_as_many_images_as_asked(n_images: int):
    images = plan_images(n_images, seed=1)
    assert len({image.path for image in images}) == n_images
    assert len({tuple(image.path.split("/")[:2]) for image in images}) == 6


def test_the_written_files_are_the_planned_ones(folder: Path):
    written = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    planned = [image.path for image in plan_images(240, seed=0)]
    assert written == sorted([*planned, "lesions.csv", "demo_images.json"])


def test_names_are_of_kaggles_kinds_and_agree_with_class_and_etiology():
    for image in plan_images(600, seed=0):
        etiology = image.etiology or "none"
        assert ("/PNEUMONIA/" in image.path) == (etiology != "none")
        assert (key(image.path)[0] == etiology) == (etiology != "none")


@pytest.mark.parametrize("seed", range(5))
def test_no_name_key_of_test_occurs_in_train_or_val(seed: int):
    images = plan_images(600, seed)
    test = {key(image.path) for image in images if image.path.startswith("test/")}
    assert not test & {key(image.path) for image in images if not image.path.startswith("test/")}


def test_one_name_key_is_one_patient():
    pairs = {(key(image.path), image.patient) for image in plan_images(600, seed=0)}
    assert len(pairs) == len({k for k, _ in pairs}) == len({patient for _, patient in pairs})


def test_many_patients_have_several_images():
    sizes = Counter(image.patient for image in plan_images(600, seed=0) if image.etiology)
    assert max(sizes.values()) == 6
    assert 0.3 < np.mean([size > 1 for size in sizes.values()]) < 0.7


def test_images_are_greyscale_jpegs_of_varying_size(folder: Path):
    sizes = set()
    for path in folder.glob("*/*/*.jpeg"):
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "L")
            sizes.add(image.size)
    assert len(sizes) > 200
    assert all(300 <= height < 420 and height - 1 <= width <= 1.5 * height for width, height in sizes)


def test_size_aspect_file_size_and_brightness_do_not_tell_the_class(folder: Path):
    from sklearn.metrics import roc_auc_score

    paths = sorted(folder.glob("*/*/*.jpeg"))
    images = [np.asarray(Image.open(path)) for path in paths]
    shortcuts = {
        "area": [image.size for image in images],
        "aspect": [image.shape[1] / image.shape[0] for image in images],
        "file size": [path.stat().st_size for path in paths],
        "bytes a pixel": [path.stat().st_size / image.size for path, image in zip(paths, images, strict=True)],
        "brightness": [image.mean() for image in images],
        "border": [image[:8].mean() for image in images],
    }
    target = [path.parent.name == "PNEUMONIA" for path in paths]
    aucs = {name: roc_auc_score(target, values) for name, values in shortcuts.items()}
    assert {name: auc for name, auc in aucs.items() if not 0.35 < auc < 0.65} == {}


def test_each_bacterial_image_has_a_box_inside_of_it_and_no_other_image_has(folder: Path):
    boxes = read_boxes(folder)
    assert set(boxes) == {image.path for image in plan_images(240, seed=0) if image.etiology == "bacteria"}
    assert list(boxes) == sorted(boxes)
    for left, top, right, bottom in boxes.values():
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert 0.01 < (right - left) * (bottom - top) < 0.2


def test_a_box_holds_all_values_above_0_35_of_the_greatest():
    layer = np.zeros((10, 20), np.float32)
    layer[2, 4], layer[5, 9], layer[9, 19] = 1.0, 0.4, 0.3
    assert bounding_box(layer) == (0.2, 0.2, 0.5, 0.6)


@pytest.mark.parametrize("seed", range(4))
def test_a_focus_adds_attenuation_in_its_box_and_hardly_any_elsewhere(seed: int):
    rng = np.random.default_rng(seed)
    patient, pose, lesion = draw_patient(rng), draw_pose(rng, 1.2), draw_lesion(rng, "bacteria")
    ill, lost = attenuation(patient, pose, lesion, seed)
    well, nothing = attenuation(patient, pose, None, seed)
    added, box = ill - well, bounding_box(lost)
    inside = mean_in(added, box)
    total = mean_in(np.abs(added), (0, 0, 1, 1))
    area = (box[2] - box[0]) * (box[3] - box[1])
    outside = (total - area * mean_in(np.abs(added), box)) / (1 - area)
    assert inside > 0.05
    assert outside < 0.15 * inside
    assert not nothing.any()


def test_upper_right_foci_are_brighter_than_the_other_side_and_normal_lungs_are_not(folder: Path):
    upper = {p: b for p, b in read_boxes(folder).items() if b[2] < 0.5 and b[3] < 0.5}
    assert len(upper) > 20

    def difference(path: Path, box: tuple[float, ...]) -> float:
        pixels = np.asarray(Image.open(path), float)
        return mean_in(pixels, box) - mean_in(pixels, mirrored(box))

    ill = np.array([difference(folder / path, box) for path, box in upper.items()])
    typical = tuple(np.mean(list(upper.values()), axis=0))
    well = np.array([difference(path, typical) for path in sorted(folder.glob("train/NORMAL/*.jpeg"))])
    assert ill.mean() - well.mean() > 15
    assert abs(well.mean()) < 10


def test_a_whole_folder_is_left_alone(small_folder: Path):
    before = {p: p.stat().st_mtime_ns for p in small_folder.rglob("*")}
    write_demo_images(small_folder, n_images=40, seed=0)
    assert {p: p.stat().st_mtime_ns for p in small_folder.rglob("*")} == before


def test_a_folder_made_with_other_arguments_is_replaced(small_folder: Path, tmp_path: Path):
    images = shutil.copytree(small_folder, tmp_path / "images")
    write_demo_images(images, n_images=41, seed=0)
    assert json.loads((images / "demo_images.json").read_text())["n_images"] == 41
    assert len(list(images.glob("*/*/*.jpeg"))) == 41
    assert list(tmp_path.iterdir()) == [images]


def test_a_folder_with_an_image_missing_is_made_again(small_folder: Path, tmp_path: Path):
    images = shutil.copytree(small_folder, tmp_path / "images")
    next(images.glob("train/*/*.jpeg")).unlink()
    write_demo_images(images, n_images=40, seed=0)
    assert content(images) == content(small_folder)


def test_files_that_are_not_demo_images_are_not_touched(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="contains files other than demo images"):
        write_demo_images(tmp_path, n_images=40)
    assert content(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("target", ["gone", "images"])
def test_a_link_that_leads_nowhere_is_named_and_not_the_folder_that_would_replace_it(tmp_path: Path, target: str):
    images = tmp_path / "images"
    images.symlink_to(target)

    with pytest.raises(OSError, match=re.escape(f"'{images}'")):
        write_demo_images(images, n_images=40)
    assert list(tmp_path.iterdir()) == [images]


def test_too_few_images_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="39 demo images are too few.*at least 40"):
        write_demo_images(tmp_path / "images", n_images=39)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_no_folder_and_the_next_one_succeeds(tmp_path: Path):
    images = tmp_path / "images"
    code = "import sys; from pathlib import Path; from pneumonia.demo.images import write_demo_images as w; "
    process = subprocess.Popen([sys.executable, "-c", code + "w(Path(sys.argv[1]), 5000)", str(images)])
    while not any(tmp_path.glob(".pneumonia-part-images-*/made/*/*/*.jpeg")) and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    assert process.wait() != 0
    assert any(tmp_path.glob(".pneumonia-part-images-*/made/*/*/*.jpeg"))
    assert not images.exists()
    write_demo_images(images, n_images=40)
    assert len(list(images.glob("*/*/*.jpeg"))) == 40
