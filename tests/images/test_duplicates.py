import numpy as np
import pytest

from pneumonia.images.duplicates import correlate_details


def test_brightness_and_contrast_do_not_change_the_correlation():
    image = np.random.default_rng(0).integers(0, 100, (1, 32, 32), np.uint8)

    assert correlate_details(image, image * 2 + 50) == pytest.approx([1.0])
    assert correlate_details(image, 255 - image) == pytest.approx([-1.0])


def test_a_broad_pattern_in_common_does_not_make_images_correlate():
    slope = np.add.outer(np.arange(32), np.arange(32)) * 3
    noise = np.random.default_rng(0).integers(0, 30, (2, 32, 32))
    one, other = (slope + noise).astype(np.uint8)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9

    assert abs(correlate_details(one[None], other[None])[0]) < 0.1


def test_an_image_without_details_correlates_with_nothing():
    flat = np.full((1, 32, 32), 9, np.uint8)

    assert correlate_details(flat, flat).tolist() == [0.0]
