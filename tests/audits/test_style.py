"""Images in the style of others."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pneumonia.audits.style import match_histograms, match_spectra, restyle


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A dark, sharp image and a light, soft one, uint8 `[1, 64, 64, 1]`."""
    rng = np.random.default_rng(2)
    sharp, soft = rng.normal(size=(64, 64)), gaussian_filter(rng.normal(size=(64, 64)), 2)
    images = 80 + 15 * sharp, 160 + 25 * soft / soft.std()
    dark, light = (np.clip(image, 0, 255).astype(np.uint8)[None, ..., None] for image in images)
    return dark, light


def test_an_image_has_the_grey_levels_of_its_model_in_its_own_order(pair):
    dark, light = pair
    matched = match_histograms(dark, light)
    quantiles = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(np.quantile(matched, quantiles), np.quantile(light, quantiles), atol=3)
    order = np.argsort(dark.ravel(), kind="stable")
    assert (np.diff(matched.ravel()[order].astype(int)) >= 0).all()


def test_an_even_background_stays_even(pair):
    dark, light = pair
    dark[:, :, :20] = 0
    assert np.unique(match_histograms(dark, light)[:, :, :20]).size == 1


def test_a_sharp_image_becomes_as_soft_as_its_model_and_keeps_its_mean(pair):
    sharp, soft = pair
    matched = match_spectra(sharp, soft)

    def step(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image.astype(float), axis=2)).mean())

    assert step(sharp) > 2 * step(soft)
    assert step(matched) == pytest.approx(step(soft), rel=0.25)
    assert matched.mean() == pytest.approx(sharp.mean(), abs=0.6)


@pytest.mark.parametrize("match", [match_histograms, match_spectra])
def test_an_image_in_its_own_style_stays_as_it_is(match, pair):
    dark, _ = pair
    before = dark.copy()
    np.testing.assert_allclose(match(dark, dark).astype(int), before, atol=1)
    np.testing.assert_array_equal(dark, before)
    assert match(dark, dark).dtype == np.uint8


def test_sharpness_comes_after_the_grey_levels_if_it_is_wanted(pair):
    dark, light = pair
    toned = match_histograms(dark, light)
    np.testing.assert_array_equal(restyle(dark, light, sharpness=False), toned)
    np.testing.assert_array_equal(restyle(dark, light, sharpness=True), match_spectra(toned, light))
