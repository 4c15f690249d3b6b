import numpy as np
import pytest

from pneumonia.images.perceptual_hash import candidate_pairs, choose_parts, near_pairs, to_words


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


def test_all_pairs_of_two_samples_within_the_bits_are_found_and_no_other(hashes):
    others = hashes[::2].copy()
    others[:, :3] ^= 1
    others[0, 3] ^= 1  # a fourth bit

    pairs = near_pairs(to_hex(hashes), to_hex(others), 3)

    assert pairs.tolist() == [[2 * place, place, 3] for place in range(1, 100)]
    assert near_pairs(to_hex(hashes), [], 3).shape == (0, 3)


def by_comparing_all(bits, most_bits):
    """The nearest 8 earlier ones of each, of all pairs."""
    found = []
    for later in range(len(bits)):
        distances = (bits[:later] != bits[later]).sum(axis=1)
        nearest = [row for row in np.argsort(distances, kind="stable")[:8] if distances[row] <= most_bits]
        found += [[row, later, distances[row]] for row in nearest]
    return found


@pytest.fixture
def alike():
    """Bits of 1,500 hashes: different ones, copies of one, many near to one other, and changed copies of many."""
    generator = np.random.default_rng(2)
    bits = generator.integers(0, 2, (1500, 256), np.uint8)
    bits[300:600] = bits[0]
    bits[600:900] = bits[1]
    bits[900:1200] = bits[200:500]
    bits[600:1200] ^= generator.random((600, 256)) < 0.06
    return bits[generator.permutation(len(bits))]


@pytest.mark.parametrize("most_bits", [0, 3, 32, 50, 256])
def test_whatever_the_parts_the_pairs_are_those_of_comparing_all(alike, most_bits):
    assert candidate_pairs(to_hex(alike), most_bits).tolist() == by_comparing_all(alike, most_bits)


def test_a_hundred_thousand_equal_hashes_are_not_compared_with_each_other():
    equal = ["ab" * 32] * 100_000

    pairs = candidate_pairs(equal, 32)

    assert len(pairs) == 8 * 100_000 - sum(range(1, 9))
    assert pairs[-8:].tolist() == [[row, 99_999, 0] for row in range(8)]


def test_where_most_hashes_are_alike_all_are_compared_and_otherwise_those_that_share_a_part():
    generator = np.random.default_rng(1)
    different = generator.integers(0, 2, (2000, 256), np.uint8)
    alike = different[:1] ^ (generator.random((2000, 256)) < 0.02)

    parts, (whole,) = (choose_parts(words, words, 32) for words in map(to_words, map(to_hex, (different, alike))))

    assert sum(part.most + 1 for part in parts) == 33
    assert len({bit for part in parts for bit in part.bits}) == sum(len(part.bits) for part in parts) > 33
    assert whole == ((), 0)
