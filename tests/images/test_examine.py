import hashlib

import numpy as np
import pytest
from PIL import Image
from tests.pipelines.ingest.faulty_images import encode, png

from pneumonia.base.data_parameters import MOST_PIXELS
from pneumonia.images.examine import Facts, Limits, examine_image
from pneumonia.images.perceptual_hash import perceptual_hash
from pneumonia.pixels.decoding import decode_image

LIMITS = Limits(min_side=32, max_pixels=1_000_000)


@pytest.fixture
def image():
    """Smooth random grey values, 96 x 80 pixels."""
    values = np.random.default_rng(0).integers(0, 256, (16, 18), np.uint8)
    return Image.fromarray(values).resize((96, 80), Image.Resampling.BICUBIC)


def examine(data, path="a.jpeg"):
    return examine_image(data, path, LIMITS)


def test_a_whole_grey_jpeg_has_no_problem(image):
    data = encode(image)

    facts = examine(data)

    assert facts._replace(perceptual_hash="") == Facts(hashlib.sha256(data).hexdigest(), 96, 80, "L", "", "", "")
    assert len(facts.perceptual_hash) == 64


def test_the_stored_mode_is_kept_though_one_channel_is_decoded(image):
    assert examine(encode(image.convert("RGB"))).mode == "RGB"


@pytest.mark.parametrize("lost", [1, 2, 100, 700])
def test_a_jpeg_without_its_last_bytes_is_truncated(image, lost):
    data = encode(image, quality=95)
    assert len(data) > 1500

    assert examine(data[:-lost]).problem.startswith("truncated")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_jpeg_whose_end_was_put_back_after_a_cut_is_truncated(image, share):
    data = encode(image.resize((480, 400)), quality=95)

    facts = examine(data[: int(len(data) * share)] + b"\xff\xd9")

    assert facts.problem.startswith("truncated")


@pytest.fixture
def progressive(image):
    """A progressive JPEG, and where each of its scans begins."""
    data = encode(image.resize((480, 400)), quality=95, progressive=True)
    return data, [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_progressive_jpeg_whose_end_was_put_back_after_a_cut_is_truncated(progressive, share):
    data, _ = progressive

    assert examine(data[: int(len(data) * share)] + b"\xff\xd9").problem.startswith("truncated")


def test_a_progressive_jpeg_that_was_cut_between_two_scans_passes_as_the_documentation_says(progressive, project):
    data, scans = progressive

    assert len(scans) > 3
    assert [examine(data[:scan] + b"\xff\xd9").problem for scan in scans[1:]] == [""] * (len(scans) - 1)
    assert [examine(data[:scan]).problem[:9] for scan in scans[1:]] == ["truncated"] * (len(scans) - 1)
    page = " ".join((project / "docs/images.md").read_text(encoding="utf-8").split())
    assert "nor the last scans of a progressive JPEG that was cut exactly between two of them" in page


def test_a_whole_jpeg_with_a_flat_border_is_not_taken_for_truncated(image):
    framed = Image.new("L", (200, 200), 90)
    framed.paste(image, (50, 0))

    assert examine(encode(framed)).problem == ""


def test_bytes_after_the_end_of_a_jpeg_are_no_problem(image):
    assert examine(encode(image) + b"appended").problem == ""


def test_an_end_marker_in_a_thumbnail_does_not_stand_for_the_end(image):
    exif = Image.Exif()
    exif[0x010E] = "x"
    data = encode(image, quality=95, exif=exif.tobytes() + encode(image.resize((40, 40))))
    assert b"\xff\xd9" in data[:-700]

    assert examine(data).problem == ""
    assert examine(data[:-700]).problem.startswith("truncated")


def test_another_format_than_the_suffix_says_is_noted(image):
    assert examine(encode(image, "PNG"), "train/NORMAL/a.jpeg").note == "PNG content in a .jpeg file"
    assert examine(encode(image, "PNG"), "train/NORMAL/a.PNG").note == ""


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_an_exif_orientation_is_noted(image, orientation, image_format):
    exif = Image.Exif()
    exif[0x0112] = orientation

    facts = examine(encode(image, image_format, exif=exif), f"a.{image_format.lower()}")
    assert facts.note == "rotated by its EXIF orientation"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("place", [6, 8, 10])
def test_damaged_exif_data_turn_nothing_and_cost_no_image(image, place, image_format):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif = exif.tobytes()
    damaged = encode(image, image_format, exif=exif[:place] + b"\xff\xff" + exif[place + 2 :])

    facts = examine(damaged, f"a.{image_format.lower()}")
    assert (facts.refusal, facts.note) == ("", "")
    upright = decode_image(encode(image, image_format), 32, "pad")
    assert np.array_equal(decode_image(damaged, 32, "pad"), upright)


@pytest.mark.parametrize("orientation", [0, 1, 9, 99, 65535])
def test_an_exif_orientation_that_turns_nothing_is_not_noted(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert examine(encode(image, exif=exif)).note == ""


def test_the_raw_files_of_jsrt_are_named():
    facts = examine_image(bytes(2 * 2048**2), "JPCLN001.IMG", Limits(32, 10**8))

    assert facts.problem == "not read: values without a header, as in JSRT's format. Store it as PNG of 8 or 16 bits"


def test_a_limit_is_the_largest_that_is_allowed(image):
    data = encode(image)

    assert examine_image(data, "a.jpeg", Limits(80, 96 * 80)).problem == ""
    assert examine_image(data, "a.jpeg", Limits(80, 96 * 80 - 1)).problem == "more than 7,679 pixels"
    assert (
        examine_image(data, "a.jpeg", Limits(81, 96 * 80)).problem
        == "too small: 96 x 80 pixels (ingest.min_side is 81)"
    )


@pytest.mark.parametrize("most", [MOST_PIXELS, 10**9])
def test_an_image_that_pillow_does_not_open_is_refused_with_the_limit_of_pillow(most):
    assert 2 * Image.MAX_IMAGE_PIXELS == MOST_PIXELS

    assert examine_image(png(17_896, 10_000), "a.png", Limits(32, most)).problem == "more than 178,956,970 pixels"


def test_the_hash_of_a_cosine_is_the_bit_of_its_frequency():
    wave = np.cos(np.pi * (np.arange(32) + 0.5) * 3 / 32)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(perceptual_hash(128 + 100 * np.tile(wave, (32, 1)))), np.uint8))

    assert np.flatnonzero(bits).tolist() == [3]


def test_an_image_without_contrast_has_no_hash():
    assert perceptual_hash(np.full((32, 32), 7.0)) == ""


@pytest.mark.parametrize(("quality", "size", "most_bits"), [(30, (96, 80), 24), (90, (192, 160), 24)])
def test_copies_in_other_bytes_have_hashes_that_differ_in_few_bits(image, quality, size, most_bits):
    hashes = [examine(data).perceptual_hash for data in (encode(image), encode(image.resize(size), quality=quality))]

    assert (int(hashes[0], 16) ^ int(hashes[1], 16)).bit_count() <= most_bits
