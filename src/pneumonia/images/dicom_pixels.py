"""From the stored values of a DICOM image to grey levels, as the standard defines them.

Stored values go through the modality table or the rescaling, then the VOI table or the window, then, for MONOCHROME1,
inversion (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2). What is missing or contradicts itself gets a note and the reading below.
pydicom's own functions are not used: `apply_voi` takes entries of 8 bits modulo 256, and a modality table of 10 to 14
bits is an error there.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Floats
from pneumonia.images.depth import Values, bits_of, range_of

# Pixels that are computed at a time.
_BLOCK = 1 << 20
LINEAR, EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"


class Window(NamedTuple):
    """A window: its function, centre and width."""

    function: str
    centre: float
    width: float


@dataclass(frozen=True)
class LookupTable:
    """A lookup table: the first value that it maps, and its entries."""

    first: int
    entries: npt.NDArray[np.uint16]
    claimed: int

    def look_up(self, values: Floats) -> Floats:
        """Return the entries as shares of their range, 0 to 1; values beyond the ends map to the ends."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.int64)
        return self.entries[places] / (2.0**self.bits - 1)

    @property
    def bits(self) -> int:
        """The depth of the entries: what the table claims, unless its entries show that it claims nonsense."""
        return bits_of([Values("", self.claimed, 0, int(self.entries.max()))])


@dataclass(frozen=True)
class Display:
    """What a header says about showing an image.

    Attributes:
        stored: Bits of a stored value.
        is_signed: Whether stored values are.
        slope: Of the rescaling; like the following, without meaning where there is a modality table.
        intercept: Of the rescaling.
        modality: The modality table.
        voi: The VOI table.
        window: The window; not used with a VOI table.
        is_inverted: Whether low values are bright.
        padding: Lowest and highest stored value of what lies around the image.
        notes: What was read otherwise than it is written.
    """

    stored: int
    is_signed: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    modality: LookupTable | None = None
    voi: LookupTable | None = None
    window: Window | None = None
    is_inverted: bool = False
    padding: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the range follows from nothing in the header but the number of bits."""
        return self.stored > 8 and not (self.modality or self.voi or self.window)


def display_of(header: Mapping[str, Any], stored: int, *, is_inverted: bool) -> Display:
    """Read what a header says about showing an image.

    Args:
        header: Values by keyword; of a table, first value, entries and claimed bits.
        stored: Bits of a stored value, as they really are.
        is_inverted: Whether low values are bright.
    """
    notes: list[str] = []
    modality, voi = (_table(header.get(name)) for name in ("ModalityLUTSequence", "VOILUTSequence"))
    slope, intercept = 1.0, 0.0
    if modality is None:
        slope, intercept = _rescaling(header, notes)
    window = None
    if voi is None:
        most = 2.0**stored if stored < int(header.get("BitsStored") or 0) else math.inf
        window = _window(header, notes, abs(slope), abs(slope) * most)
    return Display(
        stored,
        header.get("PixelRepresentation") == 1,
        slope,
        intercept,
        modality,
        voi,
        window,
        is_inverted,
        _padding(header, notes),
        tuple(notes),
    )


def stored_values(raw: npt.NDArray[Any], bits: int, high_bit: int, *, is_signed: bool) -> npt.NDArray[np.int32]:
    """Take the stored bits out of the allocated ones.

    Args:
        raw: Allocated bits.
        bits: Number of stored bits.
        high_bit: The place of the highest of them, which is not believed if there are only values further down.
        is_signed: Whether they are two's complement.
    """
    shift = max(high_bit + 1 - bits, 0)
    below = 2**shift - 1
    is_misplaced = shift and raw.min() >= 0 and raw.max() < 2**bits
    if is_misplaced and any((raw[rows].astype(np.int64) & below).any() for rows in blocks_of(raw)):
        shift = 0
    stored = np.empty(raw.shape, np.int32)
    for rows in blocks_of(raw):
        values = (raw[rows].astype(np.int64) >> shift) & (2**bits - 1)
        stored[rows] = np.where(values >= 2 ** (bits - 1), values - 2**bits, values) if is_signed else values
    return stored


def blocks_of(image: npt.NDArray[Any]) -> Iterator[slice]:
    """Give the rows of an image in blocks, so that what is computed of it does not take much more memory than it."""
    step = max(_BLOCK // max(image.shape[1], 1), 1)
    return (slice(start, start + step) for start in range(0, len(image), step))


def show(stored: npt.NDArray[np.int32], display: Display, bits: int = 0) -> npt.NDArray[np.uint8]:
    """Return grey levels, as a viewer would show them.

    Args:
        stored: Stored values, `[rows, columns]`.
        display: What the header says.
        bits: The range, if the header does not say it, as in `pneumonia.images.depth`; 0: that of this image alone.
    """
    share_of = _shares(stored, display, bits)
    grey = np.empty(stored.shape, np.uint8)
    for rows in blocks_of(stored):
        levels = np.clip(np.rint(255 * share_of(_values_of_modality(stored[rows], display))), 0, 255).astype(np.uint8)
        grey[rows] = 255 - levels if display.is_inverted else levels
    grey[is_padding(stored, display)] = 0
    return grey


def _shares(stored: npt.NDArray[np.int32], display: Display, bits: int) -> Callable[[Floats], Floats]:
    """Return the function from values, behind modality table or rescaling, to shares of the range, 0 to 1."""
    if display.voi is not None:
        return display.voi.look_up
    if display.window is not None:
        return windowing(display.window)
    low, high = _ends(stored, display, bits)
    return lambda values: (values - low) / (high - low)


def _values_of_modality(stored: npt.NDArray[np.int32], display: Display) -> Floats:
    """Return what the modality table, or else the rescaling, makes of stored values."""
    values = stored.astype(np.float64)
    if display.modality is not None:
        return display.modality.look_up(values) * (2.0**display.modality.bits - 1)
    return values * display.slope + display.intercept


def values_of(stored: npt.NDArray[np.int32], display: Display, detector: str) -> Values:
    """Return the values that the range of an image follows from; padding does not count."""
    inside = stored[~is_padding(stored, display)]
    if not inside.size:
        return Values(detector, display.stored)
    return Values(detector, display.stored, int(inside.min()), int(inside.max()))


def is_padding(stored: npt.NDArray[np.int32], display: Display) -> npt.NDArray[np.bool_]:
    """Tell which pixels lie around the image, `[rows, columns]`: they become black."""
    if display.padding is None:
        return np.zeros(stored.shape, bool)
    low, high = display.padding
    return (stored >= low) & (stored <= high)


def windowing(window: Window) -> Callable[[Floats], Floats]:
    """Return the function of a window: from values to 0 to 1 (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    function, centre, width = window
    if function == SIGMOID:
        return lambda values: 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == LINEAR:
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return lambda values: (values > centre).astype(np.float64)
    return lambda values: np.clip((values - centre) / width + 0.5, 0, 1)


def _ends(stored: npt.NDArray[np.int32], display: Display, bits: int) -> tuple[float, float]:
    """Return the ends of the range after the modality table or the rescaling, the lower one first."""
    if display.modality is not None:
        return 0.0, 2.0**display.modality.bits - 1
    if not display.is_open:
        bits = -display.stored if display.is_signed else display.stored
    elif not bits:
        bits = bits_of([values_of(stored, display, "")])
    low, high = sorted(end * display.slope + display.intercept for end in range_of(bits))
    return low, high


def _table(given: Any) -> LookupTable | None:
    """Return a table of first value, entries and claimed bits."""
    if given is None:
        return None
    first, entries, claimed = given
    return LookupTable(int(first), np.asarray(entries, np.uint16), int(claimed))


def _rescaling(header: Mapping[str, Any], notes: list[str]) -> tuple[float, float]:
    slope, intercept = _numbers(header, "RescaleSlope"), _numbers(header, "RescaleIntercept")
    is_told = "RescaleSlope" in header or "RescaleIntercept" in header
    if is_told and (not slope or not intercept or slope[0] == 0):
        notes.append("rescaling incomplete: read as slope 1 or intercept 0")
    return (slope[0] if slope and slope[0] else 1.0), (intercept[0] if intercept else 0.0)


def _window(header: Mapping[str, Any], notes: list[str], step: float, most: float) -> Window | None:
    """Return the first window that is one.

    Args:
        header: The header.
        notes: Is told what is unusual.
        step: The distance of two neighbouring values.
        most: Above the range of the values, if they have fewer bits than the header says.
    """
    if header.get("WindowCenter") is None and header.get("WindowWidth") is None:
        return None
    function = str(header.get("VOILUTFunction") or "").strip().upper().replace(" ", "_")
    if function not in (LINEAR, EXACT, SIGMOID):
        if "VOILUTFunction" in header:
            notes.append("VOI LUT function empty or unknown: read as LINEAR")
        function = LINEAR
    for centre, width in zip(_numbers(header, "WindowCenter"), _numbers(header, "WindowWidth"), strict=False):
        if centre + width / 2 > most:
            notes.append("window for more bits than the image has: not used")
            return None
        if function == LINEAR and 2 * step <= width < 1:
            notes.append("window narrower than 1: read as LINEAR_EXACT")
            return Window(EXACT, centre, width)
        if width >= 1 or (function != LINEAR and width > 0):
            return Window(function, centre, width)
    notes.append("window without a width: not used")
    return None


def _padding(header: Mapping[str, Any], notes: list[str]) -> tuple[int, int] | None:
    if "PixelPaddingValue" not in header:
        return None
    value = _numbers(header, "PixelPaddingValue")
    if not value:
        notes.append("padding value empty: no padding")
        return None
    limit = _numbers(header, "PixelPaddingRangeLimit") or value
    low, high = sorted((int(value[0]), int(limit[0])))
    return low, high


def _numbers(header: Mapping[str, Any], keyword: str) -> list[float]:
    """Return the numbers of a header's value, as far as they are numbers."""
    value = header.get(keyword)
    found = []
    for one in value if isinstance(value, list | tuple) else [value]:
        try:
            number = float("" if one is None else one)
        except (TypeError, ValueError):
            break
        if not math.isfinite(number):
            break
        found.append(number)
    return found
