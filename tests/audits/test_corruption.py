"""The corrupted validation images."""

import numpy as np
import pytest

from pneumonia.audits.corruption import KINDS, STRENGTHS, corrupt


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Four soft blobs on a ramp with fine texture, away from 0 and 255."""
    row, column = np.mgrid[0:64, 0:64] / 63.0
    texture = np.random.default_rng(0).uniform(0, 20, (64, 64))
    places = [(0.3, 0.3), (0.6, 0.4), (0.5, 0.7), (0.4, 0.5)]
    blobs = [np.exp(-((row - y) ** 2 + (column - x) ** 2) / 0.05) for y, x in places]
    return np.stack([(60 + 40 * column + 100 * blob + texture).astype(np.uint8) for blob in blobs])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_more_at_a_higher_strength(images: np.ndarray, kind: str) -> None:
    change = [np.abs(corrupt(images, kind, s).astype(float) - images).mean() for s in STRENGTHS]
    assert 0 < change[0] < change[1] < change[2]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_keeps_shape_type_and_the_input(images: np.ndarray, kind: str) -> None:
    before = images.copy()
    damaged = corrupt(images, kind, 3)
    assert damaged.dtype == np.uint8
    assert damaged.shape == images.shape
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_damaged_alike_whatever_follows_it(images: np.ndarray, kind: str) -> None:
    np.testing.assert_array_equal(corrupt(images[:2], kind, 2, seed=5), corrupt(images, kind, 2, seed=5)[:2])


def test_a_set_that_is_damaged_in_parts_is_damaged_as_in_one() -> None:
    alike = np.full((520, 8, 8), 128, np.uint8)
    whole = corrupt(alike, "noise", 2)

    np.testing.assert_array_equal(
        np.concatenate([corrupt(alike[i : i + 512], "noise", 2, first=i) for i in (0, 512)]), whole
    )
    assert (whole[0] != whole[512]).any()


def test_another_seed_draws_other_noise(images: np.ndarray) -> None:
    assert (corrupt(images, "noise", 1, seed=1) != corrupt(images, "noise", 1, seed=2)).any()


def test_noise_has_the_stated_standard_deviation() -> None:
    grey = np.full((4, 128, 128), 128, np.uint8)
    assert (corrupt(grey, "noise", 2).astype(float) - 128).std() == pytest.approx(12.0, rel=0.02)


def test_brightness_moves_every_pixel_by_the_stated_amount_in_both_directions() -> None:
    grey = np.full((40, 8, 8), 128, np.uint8)
    assert set(np.unique(corrupt(grey, "brightness", 1))) == {103, 153}


def test_gamma_leaves_black_and_white_alone() -> None:
    ends = np.zeros((3, 8, 8), np.uint8)
    ends[:, :, 4:] = 255
    np.testing.assert_array_equal(corrupt(ends, "gamma", 3), ends)


def test_contrast_keeps_a_flat_image() -> None:
    grey = np.full((3, 8, 8), 90, np.uint8)
    np.testing.assert_array_equal(corrupt(grey, "contrast", 3), grey)


@pytest.mark.parametrize("kind", ["rotation", "scale"])
def test_geometry_keeps_the_centre_in_place(kind: str) -> None:
    dot = np.zeros((4, 65, 65), np.uint8)
    dot[:, 30:35, 30:35] = 255
    rows, columns = np.mgrid[0:65, 0:65]
    for image in corrupt(dot, kind, 3).astype(float):
        assert (image * rows).sum() / image.sum() == pytest.approx(32, abs=0.1)
        assert (image * columns).sum() / image.sum() == pytest.approx(32, abs=0.1)


def test_blur_scales_with_the_side() -> None:
    step = np.zeros((1, 200, 200), np.uint8)
    step[:, :, 100:] = 200
    profile = np.diff(corrupt(step, "blur", 2)[0, 100].astype(float))
    centre = (np.arange(199) * profile).sum() / profile.sum()
    spread = np.sqrt((np.square(np.arange(199) - centre) * profile).sum() / profile.sum())
    assert spread == pytest.approx(0.010 * 200, rel=0.05)


@pytest.mark.parametrize(("kind", "strength"), [("fog", 1), ("noise", 0), ("noise", 4)])
def test_an_unknown_kind_or_strength_is_refused(images: np.ndarray, kind: str, strength: int) -> None:
    with pytest.raises(ValueError, match="no corruption"):
        corrupt(images, kind, strength)


def test_floating_point_images_are_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \[n, size, size\], not float64"):
        corrupt(images.astype(float), "noise", 1)
