"""Each augmentation operation, eagerly and inside `tf.data.map`."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from pneumonia.audits.style import match_histograms, match_spectra
from pneumonia.base.parameters import AugmentationParameters
from pneumonia.pixels import augmentation as aug
from pneumonia.pixels import styling
from pneumonia.pixels.augmentation import N_DRAWS, augment

SIZE = 32
OFF = AugmentationParameters(**{**dict.fromkeys(AugmentationParameters.model_fields, 0.0), "crop_area": 1.0})
ON = AugmentationParameters(
    flip=0.5, rotation=10.0,
    crop=0.85, crop_area=0.08, crop_aspect=0.288, zoom_out=0.1, shear=0.05, histogram=0.5, spectrum=0.4,
    gamma=0.35, contrast=0.3, brightness=30.0, blur=1.6, sharpen=0.3, noise=8.0, erase=0.2,
)  # fmt: skip
HALF = np.full((4, N_DRAWS), 0.5, np.float32)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(20, 236, (4, SIZE, SIZE, 1)).astype(np.float32)


@pytest.fixture
def draws() -> np.ndarray:
    # Drawn column by column, so that adding an operation does not change the draws of the others.
    return np.random.default_rng(11).random((N_DRAWS, 4), dtype=np.float32).T


OPERATIONS: dict[str, tuple[int, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]] = {
    "geometry": (8, lambda x, d: aug.geometry(x, d, ON, SIZE)),
    "histogram": (3, lambda x, d: styling.histogram(x, d, 1.0)),
    "spectrum": (3, lambda x, d: styling.spectrum(x, d, 1.0)),
    "gamma": (1, lambda x, d: aug.gamma(x, d, 0.5)),
    "contrast": (1, lambda x, d: aug.contrast(x, d, 0.4)),
    "brightness": (1, lambda x, d: aug.brightness(x, d, 40.0)),
    "sharpness": (2, lambda x, d: aug.sharpness(x, d, 1.6, 0.5)),
    "noise": (3, lambda x, d: aug.noise(x, d, 12.0)),
    "erase": (6, lambda x, d: aug.erase(x, d, 1.0)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_gives_the_same_eagerly_and_inside_a_dataset(
    name: str, images: np.ndarray, draws: np.ndarray
) -> None:
    columns, operation = OPERATIONS[name]
    eager = operation(tf.constant(images), tf.constant(draws[:, :columns]))
    mapped = next(iter(tf.data.Dataset.from_tensors((images, draws[:, :columns])).map(operation)))
    assert mapped.shape == images.shape
    assert mapped.dtype == tf.float32
    np.testing.assert_allclose(mapped, eager, atol=1e-3)
    assert np.abs(eager - images).max() > 1


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("histogram", "spectrum")])
def test_an_image_is_changed_by_its_own_draws_alone(name: str, images: np.ndarray, draws: np.ndarray) -> None:
    columns, operation = OPERATIONS[name]
    whole = operation(tf.constant(images), tf.constant(draws[:, :columns]))
    alone = operation(tf.constant(images[2:3]), tf.constant(draws[2:3, :columns]))
    np.testing.assert_allclose(whole[2:3], alone, atol=1e-3)


def test_augment_gives_bytes_and_the_same_for_the_same_draws(images: np.ndarray, draws: np.ndarray) -> None:
    pixels = tf.constant(images.astype(np.uint8))
    first = augment(pixels, tf.constant(draws), ON)
    assert first.dtype == tf.uint8
    np.testing.assert_array_equal(first, augment(pixels, tf.constant(draws), ON))


def test_all_strengths_zero_changes_nothing(images: np.ndarray, draws: np.ndarray) -> None:
    pixels = images.astype(np.uint8)
    np.testing.assert_array_equal(augment(tf.constant(pixels), tf.constant(draws), OFF), pixels)


def test_augment_takes_a_batch_of_unknown_length_inside_a_dataset(images: np.ndarray, draws: np.ndarray) -> None:
    rows = tf.data.Dataset.from_tensor_slices((images.astype(np.uint8), draws)).batch(3)
    shapes = [tuple(x.shape) for x in rows.map(lambda x, d: augment(x, d, ON))]
    assert shapes == [(3, SIZE, SIZE, 1), (1, SIZE, SIZE, 1)]


def geometry(images: np.ndarray, draws: list[float], size: int = SIZE, **strengths: float) -> np.ndarray:
    """Apply the geometry to all images with the same draws."""
    every = np.tile(np.float32(draws), (len(images), 1))
    return aug.geometry(tf.constant(images), tf.constant(every), OFF.model_copy(update=strengths), size).numpy()


STILL = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_middle_draws_leave_the_geometry_as_it_is(images: np.ndarray) -> None:
    np.testing.assert_allclose(geometry(images, STILL, rotation=10.0, shear=0.1), images, atol=1e-3)


def test_a_draw_under_the_share_mirrors_left_to_right(images: np.ndarray) -> None:
    draws = [*STILL]
    draws[2] = 0.49
    np.testing.assert_allclose(geometry(images, draws, flip=0.5), images[:, :, ::-1], atol=1e-2)
    np.testing.assert_allclose(geometry(images, STILL, flip=0.5), images, atol=1e-2)


def test_a_crop_of_a_quarter_of_the_area_at_a_corner_is_that_corner_enlarged(images: np.ndarray) -> None:
    draws = [0.5, 0.5, 0.5, 0.0, 0.0, 0.5, 1.0, 0.0]  # least area, square, at the right, at the top
    cut = geometry(images, draws, size=SIZE // 2, crop=0.9, crop_area=0.25)
    np.testing.assert_allclose(cut, images[:, : SIZE // 2, SIZE // 2 :], atol=1e-3)


def test_a_draw_over_the_share_shows_the_whole_image(images: np.ndarray) -> None:
    draws = [0.5, 0.5, 0.5, 0.95, 0.0, 0.5, 1.0, 0.0]
    np.testing.assert_allclose(geometry(images, draws, crop=0.9, crop_area=0.25), images, atol=1e-3)


def test_an_image_that_is_zoomed_out_lies_whole_and_smaller_on_black() -> None:
    white = np.full((3, 100, 100, 1), 200.0, np.float32)
    draws = np.full((3, 8), 0.5, np.float32)
    draws[:, 3:5] = [[0.95, 0.5], [0.95, 0.5], [0.5, 0.5]]  # by a factor of 1.2; the last one not at all
    draws[1, 6:] = 0.0

    shown = aug.geometry(tf.constant(white), tf.constant(draws), OFF.model_copy(update={"zoom_out": 0.1}), 120)
    middle, corner, whole = shown.numpy()[..., 0]

    assert np.array_equal(middle > 0, np.pad(np.ones((100, 100), bool), 10))
    assert np.array_equal(corner > 0, np.pad(np.ones((100, 100), bool), ((0, 20), (0, 20))))
    assert (whole == 200).all()


def test_the_edges_of_a_rotated_image_that_is_zoomed_out_are_smooth() -> None:
    white = np.full((1, 100, 100, 1), 200, np.uint8)
    draws = np.array([[0.9, 0.5, 0.5, 0.95, 0.5, 0.5, 0.5, 0.5]], np.float32)
    strengths = OFF.model_copy(update={"zoom_out": 0.1, "rotation": 10.0})

    shown = aug.geometry(tf.constant(white), tf.constant(draws), strengths, 120).numpy()

    grey = (shown > 0) & (shown < 200)
    assert 300 < grey.sum() < 600  # a pixel or two along each of four sides of 100
    assert (shown / 200).sum() == pytest.approx(100 * 100, rel=2e-3)


def test_a_wide_crop_is_as_wide_as_it_is_drawn() -> None:
    ramp = np.tile(np.arange(100, dtype=np.float32)[None, None, :, None], (1, 100, 1, 1))
    draws = [0.5, 0.5, 0.5, 0.0, 0.0, 1.0, 0.5, 0.5]
    cut = geometry(ramp, draws, size=100, crop=1.0, crop_area=0.25, crop_aspect=0.2)
    assert cut[0, 50, -1, 0] - cut[0, 50, 0, 0] == pytest.approx(99 * 0.5 * np.exp(0.1), rel=1e-3)


def test_half_the_size_shows_the_same(images: np.ndarray) -> None:
    smooth = np.stack([gaussian_filter(image, (3, 3, 0)) for image in images])
    halved = geometry(smooth, STILL, size=SIZE // 2)
    expected = smooth.reshape(len(images), SIZE // 2, 2, SIZE // 2, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(halved, expected, atol=1e-2)


def test_what_a_rotation_reaches_outside_is_reflected(images: np.ndarray) -> None:
    grey = np.full_like(images, 100.0)
    np.testing.assert_allclose(geometry(grey, [1.0, *STILL[1:]], rotation=45.0), 100.0, atol=1e-3)


def test_a_quarter_turn_moves_rows_to_columns(images: np.ndarray) -> None:
    turned = geometry(images, [1.0, *STILL[1:]], rotation=90.0)
    np.testing.assert_allclose(turned[:, 1:-1, 1:-1], np.rot90(images, axes=(1, 2))[:, 1:-1, 1:-1], atol=0.05)


def test_augment_gives_the_size_that_is_asked_for(images: np.ndarray, draws: np.ndarray) -> None:
    pixels = tf.constant(images.astype(np.uint8))
    assert augment(pixels, tf.constant(draws), ON, 24).shape == (4, 24, 24, 1)
    assert augment(pixels, tf.constant(draws), OFF, 24).shape == (4, 24, 24, 1)


@pytest.fixture
def chests() -> np.ndarray:
    """Smooth images of different tone and sharpness, uint8."""
    rng = np.random.default_rng(5)
    rough = [gaussian_filter(rng.normal(size=(SIZE, SIZE)), sigma) for sigma in (1.0, 1.5, 2.0, 3.0)]
    spread = [20, 30, 40, 50]
    levels = [100 + 10 * n + s * r / r.std() for n, (s, r) in enumerate(zip(spread, rough, strict=True))]
    return np.clip(np.stack(levels), 0, 255).astype(np.uint8)[..., None]


STYLES = [(styling.histogram, match_histograms), (styling.spectrum, match_spectra)]


@pytest.mark.parametrize(("operation", "expected"), STYLES)
def test_an_image_takes_the_whole_style_of_another_one_of_the_batch(
    operation: Callable, expected: Callable, chests: np.ndarray
) -> None:
    draws = np.tile(np.float32([0.0, 0.5, 1.0]), (4, 1))  # the image after the next one, all the way
    x = tf.cast(chests, tf.float32)

    styled = operation(x, tf.constant(draws), 1.0).numpy()

    gap = np.abs(styled - expected(chests, np.roll(chests, -2, axis=0)).astype(float))
    assert gap.mean() < 0.1 * np.abs(styled - chests).mean()


@pytest.mark.parametrize("operation", [styling.histogram, styling.spectrum])
def test_only_the_share_of_the_images_is_styled_and_no_image_by_itself(operation: Callable, chests: np.ndarray) -> None:
    x = tf.cast(chests, tf.float32)
    draws = np.float32([[0.39, 0.9, 1.0], [0.41, 0.9, 1.0], [0.9, 0.9, 1.0], [0.1, 0.9, 0.0]])
    styled = operation(x, tf.constant(draws), 0.4).numpy()
    np.testing.assert_array_equal(styled[1:3], chests[1:3])
    np.testing.assert_allclose(styled[3], chests[3], atol=1e-3)  # drawn, but moved by nothing
    assert np.abs(styled[0] - chests[0]).max() > 1
    np.testing.assert_array_equal(operation(x, tf.constant(draws + 0.5), 0.4), chests)
    np.testing.assert_allclose(operation(x[:1], tf.constant(draws[:1]), 1.0), chests[:1], atol=1e-3)


def test_the_lowest_frequencies_stay(chests: np.ndarray) -> None:
    draws = np.tile(np.float32([0.0, 0.0, 1.0]), (4, 1))
    inner = 64 + chests // 2  # nothing is clipped
    styled = styling.spectrum(tf.cast(inner, tf.float32), tf.constant(draws), 1.0).numpy()
    before, after = (np.fft.fft2(x[..., 0])[:, :3, :3] for x in (inner, styled))
    np.testing.assert_allclose(after, before, rtol=0.02, atol=2.0)


def test_gamma_is_a_power_of_the_share_of_white(images: np.ndarray) -> None:
    darker = aug.gamma(tf.constant(images), tf.ones((4, 1)), 0.5)
    np.testing.assert_allclose(darker, 255 * (images / 255) ** np.exp(0.5), rtol=1e-4)


def test_gamma_keeps_black_and_white() -> None:
    ends = tf.constant([[[[0.0], [255.0]]]])
    np.testing.assert_allclose(aug.gamma(ends, tf.zeros((1, 1)), 0.5)[0, 0, :, 0], [0.0, 255.0], rtol=1e-5)


def test_contrast_stretches_about_the_mean(images: np.ndarray) -> None:
    stretched = aug.contrast(tf.constant(images), tf.ones((4, 1)), 0.4).numpy()
    mean = images.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(stretched, mean + (images - mean) * np.exp(0.4), rtol=1e-3, atol=1e-2)


def test_brightness_adds_grey_levels_and_clips() -> None:
    levels = tf.constant([[[[10.0], [100.0], [250.0]]]])
    np.testing.assert_allclose(aug.brightness(levels, tf.ones((1, 1)), 40.0)[0, 0, :, 0], [50, 140, 255])
    np.testing.assert_allclose(aug.brightness(levels, tf.zeros((1, 1)), 40.0)[0, 0, :, 0], [0, 60, 210])


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.6])
def test_the_blur_is_scipys_gaussian(images: np.ndarray, sigma: float) -> None:
    blurred = aug.gaussian_blur(tf.constant(images), tf.fill((4,), sigma)).numpy()
    expected = np.stack([gaussian_filter(i, sigma, mode="reflect", radius=aug.BLUR_RADIUS) for i in images[..., 0]])
    np.testing.assert_allclose(blurred[..., 0], expected, atol=1e-2)


def test_sharpness_blurs_a_quarter_sharpens_an_eighth_and_leaves_the_rest(images: np.ndarray) -> None:
    draws = tf.constant([[0.24, 1.0], [0.36, 1.0], [0.38, 1.0], [0.9, 1.0]])
    spread = tf.math.reduce_std(aug.sharpness(tf.constant(images), draws, 1.6, 0.5), axis=(1, 2, 3)).numpy()
    before = images.std((1, 2, 3))
    assert spread[0] < 0.5 * before[0]
    assert spread[1] > 1.3 * before[1]
    np.testing.assert_allclose(spread[2:], before[2:], rtol=1e-5)


def test_a_batch_in_which_no_image_is_blurred_stays_as_it_is(images: np.ndarray) -> None:
    draws = tf.constant(np.full((4, 2), 0.9, np.float32))
    np.testing.assert_array_equal(aug.sharpness(tf.constant(images), draws, 1.6, 0.5), images)


def test_noise_has_its_strength_at_most_and_a_mean_of_zero() -> None:
    grey = tf.fill((2, 128, 128, 1), 128.0)
    noisy = aug.noise(grey, tf.constant([[0.3, 0.9, 1.0], [0.7, 0.1, 0.5]]), 12.0).numpy() - 128
    np.testing.assert_allclose(noisy.std((1, 2, 3)), [12.0, 3.0], rtol=0.03)
    np.testing.assert_allclose(noisy.mean((1, 2, 3)), 0, atol=0.3)


def test_erase_paints_the_drawn_rectangle_in_the_drawn_grey(images: np.ndarray) -> None:
    draws = np.tile(np.float32([0.0, 0.5, 0.5, 1.0, 1.0, 0.5]), (4, 1))
    draws[3, 0] = 0.9
    erased = aug.erase(tf.constant(images), tf.constant(draws), 0.3).numpy()
    painted = (erased != images).any(-1)
    assert painted[0].any(1).sum() == painted[0].any(0).sum() == 12  # 35% of 32 pixels, whole pixels about the centre
    assert np.all(erased[0, 12:20, 12:20] == 127.5)
    np.testing.assert_array_equal(erased[3], images[3])
