"""The perceptual hash: images that look alike have hashes that differ in few bits.

It is the usual DCT hash at 16 x 16 coefficients: the image at 32 x 32 grey values (area average), its two-dimensional
DCT-II, of that the 16 x 16 lowest frequencies without the mean, each one bit: above the median or not. 256 bits, not
64, because with 64 bits many different chest radiographs look the same.

Pairs that differ in few bits are found without comparing all. Two hashes that differ in at most `d` bits differ in at
most `d // m` bits of one of any `m` parts (pigeonhole; Norouzi et al., "Fast exact search in Hamming space with
multi-index hashing", IEEE TPAMI 36, 2014). So hashes are looked up by each part in turn, under every key that differs
in so few bits, and only those found are compared. None is missed.

How many parts cost least depends on the hashes: a sample of pairs tells. Where most of them are alike, that is one part
of no bits: all pairs. Hence no hashes take longer than all pairs do.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.images.opening import to_grey

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

# Width and height of the grey values that are compared, in pixels.
SIDE = 32
# Number of DCT coefficients that are compared, in each direction.
_FREQUENCIES = 16
# Smallest width and height, in pixels, at which a JPEG is decoded for comparison.
_DRAFT_SIDE = 2 * SIDE
HASH_BITS = 256
# Earlier hashes that are kept of each. Further copies of an image are found through these.
_CANDIDATES = 8
_MOST_PARTS = 64
# A part has as many bits at most: there is a table of all its values.
_MOST_KEY_BITS = 22
_SAMPLED_PAIRS = 20_000
# Pairs that are compared at once, and codes of pairs that wait to be sorted.
_PAIRS_AT_ONCE = 1 << 16
_WAITING = 1 << 18
# What steps cost, in nanoseconds: they only decide how many parts there are.
_LOOK_UP, _COMPARE, _TABLE_ENTRY, _KEY = 10.0, 20.0, 10.0, 50_000.0


def grey_values(image: Image.Image) -> npt.NDArray[np.float64]:
    """Decode an image completely and return it as `[32, 32]` grey values, 0 to 255."""
    return shrink(decode_grey(image))


def decode_grey(image: Image.Image) -> Image.Image:
    """Decode an image completely, a JPEG at a fraction of its size, to 8 bits."""
    image.draft("L", (_DRAFT_SIDE, _DRAFT_SIDE))
    image.load()
    return to_grey(image)


def shrink(grey: Image.Image) -> npt.NDArray[np.float64]:
    """Return an image as `[32, 32]` grey values, 0 to 255."""
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)


def perceptual_hash(grey: npt.NDArray[np.float64]) -> str:
    """Return the hash of `[32, 32]` grey values as 64 hexadecimal digits; "" if they are all alike."""
    if grey.min() == grey.max():
        return ""
    transform = _dct_matrix()
    # Rounded, so that rounding errors, which differ between machines, decide no bit.
    coefficients = np.round(transform @ grey @ transform.T, 6).ravel()
    coefficients[0] = 0.0
    middle = len(coefficients) // 2 - 1
    return np.packbits(coefficients > np.partition(coefficients, middle)[middle]).tobytes().hex()


@cache
def _dct_matrix() -> npt.NDArray[np.float64]:
    """Return the first rows of the orthonormal DCT-II, `[16, 32]`."""
    frequency, place = np.arange(_FREQUENCIES)[:, None], np.arange(SIDE)
    matrix: npt.NDArray[np.float64] = np.cos(np.pi * frequency * (2 * place + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix


class Part(NamedTuple):
    """Some bits of the hash.

    Attributes:
        bits: Their places.
        most: Pairs are compared that differ in at most so many of them.
    """

    bits: tuple[int, ...]
    most: int


def candidate_pairs(hashes: Sequence[str], most_bits: int) -> Rows:
    """List pairs of hashes that differ in few bits, at most the nearest 8 earlier ones of each.

    Args:
        hashes: Hashes of 256 bits, in hexadecimal, `n` of them.
        most_bits: Largest number of bits in which a pair may differ.

    Returns:
        Row, later row and number of bits, `[pairs, 3]`, by later row, bits and row.
    """
    words, n = to_words(hashes), max(len(hashes), 1)
    place, first = _place_among_equals(words)
    # Of equal hashes, the first eight are the nearest of each later one: no other is compared with anything.
    rows, many = np.flatnonzero(place < _CANDIDATES), np.flatnonzero(place >= _CANDIDATES)
    per_row = (HASH_BITS + 1) * n
    best = (many[:, None] * per_row + first[many]).ravel()
    farthest = np.full(n, per_row)  # bits and row of the eighth, as in the code of a pair: later row, bits, row
    waiting: list[Rows] = []
    compared = words[:, rows]
    for found in _near(compared, compared, most_bits):
        pairs = np.sort(rows[found[:, :2]], axis=1)
        rest = found[:, 2] * n + pairs[:, 0]
        is_nearer = rest < farthest[pairs[:, 1]]
        waiting.append((pairs[:, 1] * per_row + rest)[is_nearer])
        if sum(map(len, waiting)) > max(len(best), _WAITING):
            best, waiting = _nearest([best, *waiting], per_row), []
            eighth = best[_CANDIDATES - 1 :][best[_CANDIDATES - 1 :] // per_row == best[: 1 - _CANDIDATES] // per_row]
            farthest[eighth // per_row] = eighth % per_row
    best = _nearest([best, *waiting], per_row)
    return np.column_stack([best % n, best // per_row, best % per_row // n])


def near_pairs(hashes: Sequence[str], others: Sequence[str], most_bits: int) -> Rows:
    """List all pairs of hashes, one of each sample, that differ in few bits.

    Args:
        hashes: Hashes of 256 bits, in hexadecimal, `n` of them.
        others: The same, `m` of them.
        most_bits: Largest number of bits in which a pair may differ.

    Returns:
        Row, row of the others and number of bits, `[pairs, 3]`, by rows.
    """
    found = list(_near(to_words(hashes), to_words(others), most_bits))
    return np.unique(np.concatenate([np.empty((0, 3), np.int64), *found]), axis=0)


def to_words(hashes: Sequence[str]) -> Words:
    """Return hashes as numbers of 64 bits, `[4, n]`."""
    words = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(len(hashes), HASH_BITS // 64)
    return np.ascontiguousarray(words.T)


def choose_parts(one: Words, others: Words, most_bits: int) -> list[Part]:
    """Choose the parts of the hash that cost least.

    Args:
        one: Hashes, `[4, n]`.
        others: Hashes that they are compared with, `[4, m]`.
        most_bits: Largest number of bits in which a pair may differ.
    """
    n, m = one.shape[1], others.shape[1]
    cheapest, plan = _COMPARE * n * m, [Part((), 0)]
    if n * m < _SAMPLED_PAIRS:
        return plan
    rng = np.random.default_rng(0)
    pairs = one[:, rng.integers(0, n, _SAMPLED_PAIRS)] ^ others[:, rng.integers(0, m, _SAMPLED_PAIRS)]
    bytes_of_pairs = np.ascontiguousarray(pairs.T).view(np.uint8)
    differs = np.ascontiguousarray(np.unpackbits(bytes_of_pairs, axis=1, bitorder="little").T)
    for count in range(1, min(most_bits + 1, _MOST_PARTS) + 1):
        # Neighbouring bits go together in images: a part takes bits that are far from each other.
        bits = [tuple(range(start, HASH_BITS, count))[:_MOST_KEY_BITS] for start in range(count)]
        most = [(most_bits + 1 + place) // count - 1 for place in range(count)]
        keys = sum(comb(len(part), flipped) for part, of in zip(bits, most, strict=True) for flipped in range(of + 1))
        cost = keys * (_KEY + n * _LOOK_UP) + sum(_TABLE_ENTRY * 2 ** len(part) for part in bits)
        if cost < cheapest:
            found = sum(
                (differs[list(part)].sum(axis=0, dtype=np.uint8) <= of).mean()
                for part, of in zip(bits, most, strict=True)
            )
            cost += _COMPARE * found * n * m
            if cost < cheapest:
                cheapest, plan = cost, [Part(*part) for part in zip(bits, most, strict=True)]
    return plan


def _place_among_equals(words: Words) -> tuple[Rows, Rows]:
    """Return how many earlier hashes equal each, `[n]`, and the first eight of these equals, `[n, 8]`."""
    order = np.lexsort(words)
    equal = words[:, order]
    is_new = np.append(True, (equal[:, 1:] != equal[:, :-1]).any(axis=0))[: len(order)]
    start = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
    place, first = np.empty((2, len(order)), np.int64)
    place[order], first[order] = np.arange(len(order)) - start, start
    return place, order[np.minimum(first[:, None] + np.arange(_CANDIDATES), len(order) - 1)]


def _nearest(codes: list[Rows], per_row: int) -> Rows:
    """Sort the codes of pairs, and keep the first eight of each later row."""
    unique = np.unique(np.concatenate(codes))
    later = unique // per_row
    return unique[np.arange(len(unique)) - np.searchsorted(later, later) < _CANDIDATES]


def _near(one: Words, others: Words, most_bits: int) -> Iterator[Rows]:
    """Yield pairs that differ in few bits: row, row of the others and bits, `[pairs, 3]`; some of them repeatedly.

    Of a sample and itself, each pair is given in one order only.
    """
    for part in choose_parts(one, others, most_bits):
        keys, order, sorted_one = _by_key(one, part.bits)
        other_keys, other_order, sorted_others = (
            (keys, order, sorted_one) if one is others else _by_key(others, part.bits)
        )
        starts = np.append(0, np.cumsum(np.bincount(other_keys, minlength=1 << len(part.bits))))
        for changed in range(part.most + 1):
            for places in combinations(range(len(part.bits)), changed):
                wanted = keys ^ sum(1 << place for place in places)
                first, last = starts[wanted], starts[wanted + 1]
                if one is others:
                    first = np.maximum(first, np.arange(1, len(first) + 1))
                for left, right in _spread(first, np.maximum(last - first, 0)):
                    near, bits = _compare(sorted_one, sorted_others, left, right, most_bits)
                    yield np.column_stack([order[left[near]], other_order[right[near]], bits])


def _by_key(words: Words, bits: Sequence[int]) -> tuple[Rows, Rows, Words]:
    """Return some bits of each hash as a number, sorted, `[n]`, the rows in that order, `[n]`, and their hashes."""
    keys = np.zeros(words.shape[1], np.int64)
    for place, bit in enumerate(bits):
        keys |= ((words[bit // 64] >> np.uint64(bit % 64)) & np.uint64(1)).astype(np.int64) << place
    order = np.argsort(keys, kind="stable")
    return keys[order], order, words[:, order]


def _spread(first: Rows, counts: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Pair each row with as many others from its first on, about a million pairs at once."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    edges = np.unique(np.searchsorted(ends, np.arange(0, total, _PAIRS_AT_ONCE)[1:]))
    for low, high in zip([0, *edges], [*edges, len(ends)], strict=True):
        part = counts[low:high]
        left = np.repeat(np.arange(low, high), part)
        yield left, np.arange(len(left)) + np.repeat(first[low:high] - np.cumsum(part) + part, part)


def _compare(one: Words, others: Words, left: Rows, right: Rows, most_bits: int) -> tuple[Rows, Rows]:
    """Return which pairs differ in few bits, and in how many. Half of the bits rule out all but a few."""
    half = np.bitwise_count(one[0, left] ^ others[0, right]) + np.bitwise_count(one[1, left] ^ others[1, right])
    near = np.flatnonzero(half <= most_bits)
    bits = np.bitwise_count(one[:, left[near]] ^ others[:, right[near]]).sum(axis=0, dtype=np.int64)
    return near[bits <= most_bits], bits[bits <= most_bits]
