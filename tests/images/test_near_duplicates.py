import numpy as np
import pytest

from pneumonia.images.near_duplicates import candidate_pairs, correlate_details, near_pairs


def to_hex(bits):
    return [row.tobytes().hex() for row in np.packbits(bits, axis=1)]


@pytest.fixture
def hashes():
    """Random bits of 200 hashes of 256 bits."""
    return np.random.default_rng(0).integers(0, 2, (200, 256), np.uint8)


def test_random_hashes_make_no_candidates(hashes):
    assert candidate_pairs(to_hex(hashes), 32).shape == (0, 3)


@pytest.mark.parametrize("bits", [0, 1, 15, 16, 31, 32])
def test_every_pair_that_differs_in_few_enough_bits_is_a_candidate(hashes, bits):
    generator = np.random.default_rng(bits)
    copies = hashes[:100].copy()
    for copy in copies:
        copy[generator.choice(256, bits, replace=False)] ^= 1

    pairs = candidate_pairs(to_hex(np.concatenate([hashes, copies])), 32)

    assert pairs.tolist() == [[row, 200 + row, bits] for row in range(100)]


def test_a_pair_that_differs_in_more_bits_than_allowed_is_no_candidate(hashes):
    copy = hashes[:1].copy()
    copy[0, :5] ^= 1
    both = to_hex(np.concatenate([hashes[:1], copy]))

    assert candidate_pairs(both, 5).tolist() == [[0, 1, 5]]
    assert candidate_pairs(both, 4).tolist() == []


def test_pairs_are_exact_at_more_bits_too(hashes):
    copies = hashes[:100].copy()
    for row, copy in enumerate(copies):
        copy[np.random.default_rng(row).choice(256, 64, replace=False)] ^= 1

    assert len(candidate_pairs(to_hex(np.concatenate([hashes, copies])), 64)) == 100


def test_of_many_alike_only_the_nearest_8_earlier_ones_are_candidates(hashes):
    pairs = candidate_pairs(to_hex(hashes[:1].repeat(600, axis=0)), 32)

    assert len(pairs) == sum(min(row, 8) for row in range(600))
    assert pairs[-1].tolist() == [7, 599, 0]


def test_no_hashes_make_no_candidates():
    assert candidate_pairs([], 32).shape == (0, 3)


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


def test_all_pairs_of_two_samples_within_the_bits_are_found_and_no_other(hashes):
    others = hashes[::2].copy()
    others[:, :3] ^= 1
    others[0, 3] ^= 1  # a fourth bit

    pairs = near_pairs(to_hex(hashes), to_hex(others), 3)

    assert pairs.tolist() == [[2 * place, place, 3] for place in range(1, 100)]
    assert near_pairs(to_hex(hashes), [], 3).shape == (0, 3)
