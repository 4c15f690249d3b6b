import io

import numpy as np
import pytest
from PIL import Image, ImageFilter, features
from tests.pipelines.ingest.faulty_images import tiff
from tests.pipelines.ingest.odd_images import two_channels

from pneumonia.base.errors import UserError
from pneumonia.pixels.decoding import DECODER, decode_image


def encode(image, file_format="PNG", **arguments):
    content = io.BytesIO()
    image.save(content, file_format, **arguments)
    return content.getvalue()


def radiograph(width, height, seed=0):
    """Soft shapes with sharp edges and grain, as in a chest radiograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    pixels = 90 + 70 * np.cos(5 * x) * np.sin(4 * y) + 25 * (np.sin(70 * y + 9 * np.cos(6 * x)) > 0.3)
    image = Image.fromarray(np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(width / 1000))


@pytest.fixture(scope="module")
def grey():
    return np.random.default_rng(1).integers(0, 256, (24, 24), dtype=np.uint8)


def test_an_image_of_the_right_size_keeps_every_pixel(grey):
    assert np.array_equal(decode_image(encode(Image.fromarray(grey)), 24, "squeeze"), grey)


def test_the_decoder_is_named_with_the_releases_of_pillow_and_of_the_jpeg_library(tiny_store):
    jpeg = features.version("libjpeg_turbo") or features.version("jpg")

    assert DECODER.endswith(f"-pillow{Image.__version__}-jpeg{jpeg}")
    assert tiny_store.fingerprint == f"32-squeeze-{DECODER}"


def test_the_result_is_uint8_of_the_wanted_size(grey):
    pixels = decode_image(encode(Image.fromarray(grey)), 17, "pad")

    assert (pixels.shape, pixels.dtype) == ((17, 17), np.uint8)


@pytest.mark.parametrize("size", [(1000, 1000), (1200, 900), (1654, 1345), (1999, 1300), (2001, 2000)])
def test_scaled_jpeg_decoding_is_within_half_a_level_of_full_decoding(size):
    data = encode(radiograph(*size), "JPEG", quality=90)
    full = Image.open(io.BytesIO(data)).resize((128, 128), Image.Resampling.BILINEAR)

    difference = np.abs(decode_image(data, 128, "squeeze").astype(int) - np.asarray(full))
    assert difference.mean() < 0.5
    assert difference.max() <= 16


def test_jpeg_is_decoded_in_full_where_less_than_twice_the_pixels_would_be_left():
    data = encode(radiograph(510, 510), "JPEG", quality=90)
    full = Image.open(io.BytesIO(data)).resize((128, 128), Image.Resampling.BILINEAR)

    assert np.array_equal(decode_image(data, 128, "squeeze"), full)


@pytest.mark.parametrize("size", [900, 1100, 1500, 2100])
def test_a_spot_stays_where_it_is_whatever_the_original_size(size):
    y, x = np.mgrid[0:size, 0:size] / size
    spot = 255 * np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / 0.002)
    pixels = decode_image(encode(Image.fromarray(spot.astype(np.uint8)), "JPEG", quality=95), 128, "squeeze") / 1.0

    rows, columns = np.mgrid[0:128, 0:128] + 0.5
    assert (columns * pixels).sum() / pixels.sum() == pytest.approx(0.3 * 128, abs=0.1)
    assert (rows * pixels).sum() / pixels.sum() == pytest.approx(0.6 * 128, abs=0.1)


def test_a_grey_jpeg_stored_in_three_channels_gives_the_same_pixels():
    image = radiograph(700, 500)
    one = decode_image(encode(image, "JPEG", quality=90), 64, "squeeze")
    three = decode_image(encode(image.convert("RGB"), "JPEG", quality=90), 64, "squeeze")

    assert np.array_equal(one, three)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_grey_pixels_come_through_any_mode(grey, mode):
    file_format = "TIFF" if mode == "CMYK" else "PNG"

    assert np.array_equal(decode_image(encode(Image.fromarray(grey).convert(mode), file_format), 24, "crop"), grey)


def test_black_and_white_becomes_0_and_255():
    image = Image.fromarray(np.eye(8, dtype=bool))

    assert np.array_equal(decode_image(encode(image), 8, "squeeze"), 255 * np.eye(8))


def test_colour_becomes_luminance():
    image = Image.new("RGB", (4, 4), (200, 100, 50))

    assert np.all(decode_image(encode(image), 4, "squeeze") == 124)  # 0.299 * 200 + 0.587 * 100 + 0.114 * 50


def test_an_image_with_one_pixel_that_is_not_opaque_is_refused():
    image = Image.new("LA", (4, 4), (200, 255))
    image.putpixel((1, 2), (200, 254))

    with pytest.raises(UserError, match="transparency: not all of its pixels are opaque"):
        decode_image(encode(image), 4, "squeeze")


@pytest.mark.parametrize(("largest", "name"), [(1023, "10"), (4095, "12"), (16383, "14"), (65535, "16")])
def test_values_above_8_bits_are_scaled_by_the_detector_depth(largest, name):
    values = np.array([[0, largest], [round(largest / 5), round(largest / 2)]], np.uint16)

    assert np.array_equal(decode_image(encode(Image.fromarray(values)), 2, "squeeze"), [[0, 255], [51, 128]])


def test_floating_point_values_are_refused():
    with pytest.raises(UserError, match="floating point"):
        decode_image(encode(Image.new("F", (4, 4)), "TIFF"), 4, "squeeze")


@pytest.mark.parametrize("resize", ["pad", "crop", "squeeze"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(orientation, resize):
    stored = radiograph(64, 48)
    upright = {
        1: stored,
        2: stored.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: stored.transpose(Image.Transpose.ROTATE_180),
        4: stored.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: stored.transpose(Image.Transpose.TRANSPOSE),
        6: stored.transpose(Image.Transpose.ROTATE_270),
        7: stored.transpose(Image.Transpose.TRANSVERSE),
        8: stored.transpose(Image.Transpose.ROTATE_90),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = decode_image(encode(upright), 32, resize).astype(int)

    for file_format in ("PNG", "TIFF"):
        pixels = decode_image(encode(stored, file_format, exif=exif), 32, resize)
        # Pillow rounds between its horizontal and its vertical pass.
        assert np.abs(pixels - expected).max() <= 1


def test_pad_keeps_the_proportions_between_black_borders():
    pixels = decode_image(encode(Image.new("L", (80, 40), 200)), 16, "pad")

    assert np.all(pixels[4:12] == 200)
    assert np.all(pixels[:4] == 0)
    assert np.all(pixels[12:] == 0)


def test_pad_keeps_a_line_of_a_very_long_image():
    assert decode_image(encode(Image.new("L", (400, 2), 200)), 16, "pad").sum() == 16 * 200


def test_crop_takes_the_central_square():
    pixels = np.random.default_rng(2).integers(0, 256, (16, 48), dtype=np.uint8)

    assert np.array_equal(decode_image(encode(Image.fromarray(pixels)), 16, "crop"), pixels[:, 16:32])
    assert np.array_equal(decode_image(encode(Image.fromarray(pixels.T)), 16, "crop"), pixels.T[16:32])


def test_crop_of_a_scaled_jpeg_takes_the_central_square():
    image = radiograph(1600, 800)
    cropped = image.crop((400, 0, 1200, 800)).resize((64, 64), Image.Resampling.BILINEAR)

    difference = np.abs(decode_image(encode(image, "JPEG", quality=95), 64, "crop").astype(int) - np.asarray(cropped))
    assert difference.mean() < 0.7


def test_squeeze_uses_the_whole_image():
    image = Image.new("L", (80, 40), 0)
    image.paste(200, (0, 0, 40, 40))
    pixels = decode_image(encode(image), 16, "squeeze")

    assert np.all(pixels[:, :7] == 200)
    assert np.all(pixels[:, 9:] == 0)


@pytest.mark.parametrize(
    "data", [b"", b"not an image", encode(radiograph(64, 64), "JPEG")[:900], encode(radiograph(64, 64))[:900]]
)
def test_what_is_not_a_whole_image_is_refused(data):
    with pytest.raises(UserError, match="cannot be decoded completely"):
        decode_image(data, 32, "squeeze")


SMOOTH = radiograph(80, 64)
CLEAR = Image.new("L", SMOOTH.size, 255)
DEEP = np.asarray(SMOOTH).astype(np.uint16) * 257


@pytest.mark.parametrize(
    "data",
    [
        *(encode(Image.merge("LA", [SMOOTH, CLEAR]).convert(mode), "TIFF") for mode in ("LA", "RGBA", "PA")),
        *(encode(Image.merge("LA", [SMOOTH, CLEAR]).convert(mode)) for mode in ("LA", "RGBA")),
        encode(SMOOTH.point(lambda level: max(level, 1)), transparency=0),
        encode(SMOOTH.convert("P"), transparency=b"\xff" * 256),
        encode(Image.fromarray(np.maximum(DEEP, 257)), transparency=3),
        two_channels(DEEP),
        tiff({258: 8, 277: 2, 279: 2 * 80 * 64, 338: 1, 256: 80}, pixels=np.dstack([SMOOTH, CLEAR]).tobytes()),
    ],
    ids=[
        "LA",
        "RGBA",
        "PA",
        "PNG LA",
        "PNG RGBA",
        "unused level",
        "palette",
        "16 bits, unused",
        "16 bits",
        "multiplied",
    ],
)
def test_an_alpha_channel_that_is_opaque_everywhere_changes_no_pixel(data):
    expected = decode_image(encode(SMOOTH.point(lambda level: max(level, 1))), 32, "squeeze")

    assert np.abs(decode_image(data, 32, "squeeze").astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("bits", "white"), [(0, 1023), (10, 1023), (12, 4095), (16, 65_535)])
def test_values_of_16_bits_are_scaled_by_the_range_that_is_given(bits, white):
    values = np.array([[0, 1023], [200, 600]], np.uint16)
    expected = np.rint(values * (255 / white)).astype(int)

    assert np.abs(decode_image(encode(Image.fromarray(values)), 2, "squeeze", bits) - expected).max() == 0
