import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.regions import (
    CENTRE,
    RIM,
    TWIN_SCORE_COLUMNS,
    Region,
    compare_twins,
    hide,
    score_twins,
    train_small_network,
)
from pneumonia.audits.shortcuts import shrink
from pneumonia.model.predict import predict


@pytest.mark.parametrize(("view", "expected"), [(Region.CENTRE_HIDDEN, [10, 10]), (Region.BORDER_HIDDEN, [200, 200])])
def test_a_hidden_part_takes_the_mean_of_the_rest(view, expected):
    image = np.full((1, 10, 10, 1), 10, np.uint8)
    image[0, 2:8, 2:8] = 200
    hidden = hide(image, 0.6, view)
    assert hidden.dtype == np.uint8
    assert [hidden[0, 0, 0, 0], hidden[0, 5, 5, 0]] == expected
    assert image[0, 0, 0, 0] == 10


def test_at_least_one_pixel_of_rim_is_left_to_take_the_mean_of():
    hidden = hide(np.arange(100, dtype=np.uint8).reshape(1, 10, 10, 1), 0.99, Region.CENTRE_HIDDEN)
    assert len(np.unique(hidden[0, 1:-1, 1:-1])) == 1
    assert hidden[0, 0, 3, 0] == 3


@pytest.fixture
def framed():
    """160 noise images of 48 pixels, whose upper rim is bright in class 1, and their classes."""
    rng = np.random.default_rng(0)
    target = np.arange(160) % 2
    images = rng.integers(60, 160, (160, 48, 48, 1), np.uint8)
    images[target == 1, :6] += 60
    return images, target


def test_what_the_rim_tells_is_learned(framed):
    images, target = framed
    probability = predict(train_small_network(images[:128], target[:128], seed=0), images[128:], 32)
    assert probability[target[128:] == 1].min() > probability[target[128:] == 0].max()


def test_the_same_seed_gives_the_same_network_whatever_was_drawn_before(framed):
    import keras

    networks = []
    for seed in (0, 0, 1):
        networks.append(train_small_network(*framed, seed=seed))
        keras.utils.set_random_seed(len(networks))
    one, same, other = ([weight.tobytes() for weight in network.get_weights()] for network in networks)
    assert one == same != other


def test_images_are_shrunk_to_means_of_areas():
    images = np.zeros((1, 96, 96, 1), np.uint8)
    images[0, ::2] = 200
    assert (shrink(images, 48) == 100).all()
    assert shrink(images, 48).shape == (1, 48, 48)


def test_a_class_with_too_few_images_gives_no_row(tiny_manifest, tiny_pixels, evaluation_parameters):
    tables = score_twins(tiny_manifest, *tiny_pixels, evaluation_parameters)  # 12 train images per class
    assert all(table.empty and list(table) == TWIN_SCORE_COLUMNS for table in tables)
    assert compare_twins(*tables).empty


def test_validation_and_test_are_scored_and_off_is_off(tiny_manifest, tiny_pixels, evaluation_parameters, monkeypatch):
    monkeypatch.setattr("pneumonia.audits.regions.LEAST_IMAGES", 12)
    tables = score_twins(tiny_manifest, *tiny_pixels, evaluation_parameters)
    judged = tiny_manifest[tiny_manifest["split"] != "train"]
    for table in tables:
        assert table["path"].tolist() == judged["path"].tolist()
        assert table["probability"].between(0, 1).all()
    off = evaluation_parameters.model_copy(update={"rim_network": False})
    assert all(table.empty for table in score_twins(tiny_manifest, *tiny_pixels, off))


def test_neither_network_sees_what_the_other_sees(tiny_manifest, tiny_pixels, evaluation_parameters, monkeypatch):
    """Stores that differ only in the central square get the same scores of their rims, and others of their centres."""
    monkeypatch.setattr("pneumonia.audits.regions.LEAST_IMAGES", 12)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(tiny_manifest), 48, 48, 1), np.uint8)
    other = images.copy()
    other[:, 10:38, 10:38] = 255 - other[:, 10:38, 10:38]
    (rim, centre), (same_rim, other_centre) = (
        score_twins(tiny_manifest, Stored(tiny_manifest, pixels), tiny_pixels[1], evaluation_parameters)
        for pixels in (images, other)
    )
    np.testing.assert_array_equal(rim["probability"], same_rim["probability"])
    assert (centre["probability"] != other_centre["probability"]).any()


def test_the_twins_are_compared_on_the_same_test_images():
    rng = np.random.default_rng(0)
    target = np.arange(80) % 2
    keys = {"path": [f"{number}.png" for number in range(80)], "group": np.arange(80), "target": target}
    rim, centre = (
        pd.DataFrame({**keys, "split": ["val", "test", "test", "test"] * 20, "probability": told})
        for told in (rng.random(80), 0.8 * target + 0.1 * rng.random(80))
    )
    rows = compare_twins(rim, centre).set_index("predictor")
    assert rows.loc[CENTRE, ["auc", "n", "behind_centre"]].tolist() == [1, 60, 0]
    assert rows.loc[RIM, "behind_centre"] == pytest.approx(1 - rows.loc[RIM, "auc"])
    assert rows.loc[RIM, "behind_centre_low"] > 0


class Stored:
    """Images in memory, read like those of a pixel store."""

    def __init__(self, manifest, images):
        self._row = dict(zip(manifest["sha256"], range(len(images)), strict=True))
        self._images = images

    def open(self, image_size, resize):
        return self

    def rows(self, sha256s):
        return np.array([self._row[sha256] for sha256 in sha256s])

    def read(self, rows):
        return self._images[rows]
