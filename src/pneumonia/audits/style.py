"""Images in the style of others: with their histogram of grey levels, and with their sharpness.

Both differ between scanners and between their settings. Where the classes were taken differently, a network may judge
by them instead of by the lungs.
"""

import numpy as np

from pneumonia.base.annotations import Floats, Pixels
from pneumonia.pixels.styling import LEAST_FREQUENCY, frequencies

LEVELS = 256


def restyle(images: Pixels, models: Pixels, *, sharpness: bool) -> Pixels:
    """Give each image the grey levels of its model, and with `sharpness` also its sharpness and noise."""
    toned = match_histograms(images, models)
    return match_spectra(toned, models) if sharpness else toned


def match_histograms(images: Pixels, models: Pixels) -> Pixels:
    """Map the grey levels of each image so that as many pixels as in its model lie below each level.

    Pixels of the same level stay of the same level, so that a black background stays even.

    Args:
        images: uint8 `[n, size, size, 1]`; not changed.
        models: One for each image, of the same shape.

    Returns:
        New images, uint8 `[n, size, size, 1]`.
    """
    matched = np.empty_like(images)
    for row, (image, model) in enumerate(zip(images, models, strict=True)):
        below, wanted = _shares_below(image), _shares_below(model)
        matched[row] = np.rint(np.interp(below, wanted, np.arange(LEVELS))).astype(np.uint8)[image]
    return matched


def _shares_below(image: Pixels) -> Floats:
    """Return for each grey level the share of pixels below it, those of the level itself counting half."""
    counts = np.bincount(image.ravel(), minlength=LEVELS) / image.size
    shares: Floats = np.cumsum(counts) - counts / 2
    return shares


def match_spectra(images: Pixels, models: Pixels) -> Pixels:
    """Give each image the sharpness and the noise of its model: the mean amplitude at each spatial frequency.

    Frequencies below `LEAST_FREQUENCY`, and all phases, stay.

    Args:
        images: uint8 `[n, size, size, 1]`; not changed.
        models: One for each image, of the same shape.

    Returns:
        New images, uint8 `[n, size, size, 1]`, clipped.
    """
    size = images.shape[1]
    frequency = frequencies(size).reshape(size, -1)
    counts = np.bincount(frequency.ravel())
    matched = np.empty_like(images)
    for row, (image, model) in enumerate(zip(images, models, strict=True)):
        waves, wanted = np.fft.rfft2(image[..., 0]), np.fft.rfft2(model[..., 0])
        gap = np.bincount(frequency.ravel(), (_log_amplitudes(wanted) - _log_amplitudes(waves)).ravel()) / counts
        gap[:LEAST_FREQUENCY] = 0
        shown = np.fft.irfft2(waves * np.exp(gap)[frequency], (size, size))
        matched[row, ..., 0] = np.clip(np.rint(shown), 0, LEVELS - 1).astype(np.uint8)
    return matched


def _log_amplitudes(waves: np.ndarray) -> Floats:
    """Return logarithms of amplitudes; a frequency that an image lacks counts as very weak."""
    amplitudes: Floats = np.log(np.abs(waves) + 1e-3)
    return amplitudes
