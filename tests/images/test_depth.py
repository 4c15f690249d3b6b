import pytest

from pneumonia.images.depth import Values, bits_of, choose_bits


def values(highest, lowest=0, detector="x", stored=16):
    return Values(detector, stored, lowest, highest)


CHOSEN = {
    "two images of a folder": ({"a/1": values(1023), "a/2": values(1030)}, [12, 12]),
    "two folders of classes": (
        {"a/1": values(1023), "a/2": values(9), "b/1": values(1030), "b/2": values(9)}, [12] * 4
    ),
    "each image in its folder": ({"p1/s/1": values(900), "p2/s/1": values(1030), "p3/s/1": values(255)}, [12] * 3),
    "a folder of 8 and one of 16 bits": (
        {"a/1": values(255), "a/2": values(200), "b/1": values(60_000), "b/2": values(9)}, [8, 8, 16, 16]
    ),
    "folders of splits": ({"train/1": values(1023), "test/1": values(60_000)}, [16, 16]),
    "two devices in a folder": ({"a/1": values(1000), "a/2": values(16_000, detector="y")}, [10, 14]),
    "10, 12, 14 and 16 bits": (
        {f"{n}/{k}": values(2**n - 1) for n in (10, 12, 14, 16) for k in "ab"}, [12, 12, 12, 12, 16, 16, 16, 16]
    ),
    "negative values": (
        {"a/1": values(900, -900), "a/2": values(100), "b/1": values(900), "b/2": values(9)}, [-12] * 4
    ),
    "a header that says 12 bits": ({"a/1": values(900, stored=12), "a/2": values(700, stored=12)}, [12, 12]),
    "a header that says 14 bits of 10": ({"a/1": values(900, stored=14), "a/2": values(70, stored=14)}, [10, 10]),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOSEN)
def test_the_range_is_that_of_a_folder_and_a_device(case):
    found, expected = CHOSEN[case]

    assert list(choose_bits(found).values()) == expected
    assert choose_bits(dict(reversed(found.items()))) == dict(zip(found, expected, strict=True))


def test_values_of_more_than_16_bits_are_refused():
    with pytest.raises(ValueError, match="values from 0 to 65536"):
        bits_of([values(65_536)])
