import numpy as np
import pytest
from PIL import Image

from pneumonia.audits.shortcuts import RIM_FEATURES, rim_features
from pneumonia.base.errors import UserError
from pneumonia.demo import second_hospital
from pneumonia.demo.images import make_image
from pneumonia.demo.second_hospital import MARKER, draw, plan_second_hospital, write_second_hospital


def test_half_of_the_images_are_of_each_class_and_the_device_follows_the_class():
    planned = plan_second_hospital(240, seed=1)
    classes = ("NORMAL", "PNEUMONIA")
    by_class = {label: [one for one in planned if one.image.path.startswith(label)] for label in classes}
    assert {label: len(images) for label, images in by_class.items()} == {"NORMAL": 120, "PNEUMONIA": 120}
    shares = {label: np.mean([one.is_portable for one in images]) for label, images in by_class.items()}
    assert shares["NORMAL"] < 0.3
    assert shares["PNEUMONIA"] > 0.7
    assert len({one.image.path for one in planned}) == 240


def test_the_images_are_written_once_and_the_rim_tells_the_classes_apart(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    folder = tmp_path / "second"
    write_second_hospital(folder, 60, seed=1)
    files = sorted(folder.glob("*/*.jpeg"))
    before = [file.stat().st_mtime_ns for file in files]
    write_second_hospital(folder, 60, seed=1)
    assert [file.stat().st_mtime_ns for file in files] == before
    pixels = np.stack([np.asarray(Image.open(file).convert("L").resize((64, 64))) for file in files])[..., None]
    target = [int(file.parent.name == "PNEUMONIA") for file in files]
    features = rim_features(pixels)
    assert list(features.columns) == RIM_FEATURES
    found = cross_val_score(LogisticRegression(max_iter=1000), features, target, scoring="roc_auc", cv=3)
    assert found.mean() > 0.75


def lower_lungs(picture):
    """The mean grey level beside the heart."""
    width, height = picture.size
    pixels = np.asarray(picture, np.float32)[int(0.55 * height) : int(0.75 * height)]
    return pixels[:, int(0.2 * width) : int(0.35 * width)].mean()


def test_shadows_brighten_the_lower_lungs_of_the_healthy_too(monkeypatch):
    healthy = plan_second_hospital(40, seed=1)[:5]
    means = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(second_hospital, "SHADOWED", share)
        means.append([lower_lungs(draw(taken, 1)) for taken in healthy])
    assert (np.subtract(*reversed(means)) > 5).all()


def test_a_fainter_lesion_takes_less_air():
    ill = next(one.image for one in plan_second_hospital(40, seed=1) if one.image.etiology == "bacteria")
    fainter, faint, usual = (np.asarray(make_image(ill, 1, strength)[0], np.float32) for strength in (0.1, 0.4, 1.0))
    assert 0 < np.abs(faint - fainter).mean() < np.abs(usual - fainter).mean()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="other than demo images"):
        write_second_hospital(tmp_path, 60, seed=1)
    assert not (tmp_path / MARKER).exists()
