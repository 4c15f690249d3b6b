"""Facts about an image file, found by decoding it completely: hash, size, mode, faults, perceptual hash.

Not detected: a changed byte that leaves a JPEG's data decodable (four of five single bytes), missing last scans of a
progressive JPEG whose end marker was put back, and rows missing from a PNG whose data are intact.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import PIL
import simplejpeg
from PIL import Image, UnidentifiedImageError

from pneumonia.images import dicom, opening
from pneumonia.images.depth import LEAST_SHARE, Values
from pneumonia.images.dicom_header import ViewWords
from pneumonia.images.dicom_values import is_dicom
from pneumonia.images.perceptual_hash import decode_grey, perceptual_hash, shrink
from pneumonia.images.status import OtherObjectError, RefusedError

# Must change whenever this module finds something different in the same bytes.
FACTS_VERSION = f"18-pillow{PIL.__version__}-simplejpeg{simplejpeg.__version__}"

# Pillow decodes no larger image.
_MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)

# The note on an image that shows nothing.
BLANK = "blank: one grey level"
# Between two notes on an image.
BETWEEN_NOTES = "; "
UPPER_BITS = "16 bits in several channels: the upper 8 are used"
# The darkest and the brightest pixels that do not count when it is told how much of the range an image uses. [share]
_OUTLIERS = 0.001

# Pillow's modes of grey and colour, with and without alpha, multiplied or not.
_MODES = frozenset(["1", "L", "RGB", "P", "LA", "PA", "RGBA", "La", "RGBa"])
# The tag of TIFF that says what its values are, and that they are signed.
_SAMPLE_FORMAT, _SIGNED = 339, 2
# The tag that says how it is compressed, and a way that the libtiff in Pillow does not know.
_COMPRESSION, _WEBP = 259, 50001
_JPEG = ("JPEG", "MPO")
# The last bytes of a whole file. Pillow accepts files that end just before them.
_END_MARKERS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_JPEG_START_OF_SCAN = b"\xff\xda"

# How libjpeg's warnings about damaged data begin. It goes on decoding, with grey or shifted blocks.
_JPEG_TRUNCATION = ("Premature end of JPEG file", "Corrupt JPEG data: premature end")
_JPEG_DAMAGE = ("Corrupt JPEG data", "Inconsistent progression sequence")


class Limits(NamedTuple):
    """What an image may be.

    Attributes:
        min_side: Smallest width and height.
        max_pixels: Largest number of pixels.
        words: A user's words for body parts and views in DICOM headers; None: what these say does not matter.
    """

    min_side: int
    max_pixels: int
    words: ViewWords | None = ViewWords()


class Facts(NamedTuple):
    """What is known of a file.

    Attributes:
        sha256: SHA-256 of the bytes, in hexadecimal.
        width: Width in pixels as stored; 0 if unknown.
        height: Height in pixels as stored; 0 if unknown.
        mode: As stored: Pillow's (L or I;16 for grey, RGB for colour), or the photometric interpretation of DICOM;
            empty if unknown.
        problem: Why the image must not be used; empty if it may.
        other: Why the file, which is sound, is no frontal chest radiograph; empty if it is one.
        note: What is unusual about a usable image, with `BETWEEN_NOTES` between.
        perceptual_hash: 64 hexadecimal digits; empty for an image without contrast.
        patient: Group by the patient's ID in a DICOM header, as a keyed hash; like the following empty if unknown.
        age: Age in years.
        sex: F, M or O.
        view: View position, such as PA.
        device: Manufacturer of the device.
        detector: Tells devices apart whose images need a common range; empty where the file says its range.
        stored: Bits that the file claims to store; 8 for DICOM that says its range.
        lowest: Smallest value; like the next, of a file with a detector.
        highest: Largest value.
        used: How many of the 256 grey levels lie between its darkest and brightest pixels, if the range were its own.
    """

    sha256: str
    width: int = 0
    height: int = 0
    mode: str = ""
    problem: str = ""
    other: str = ""
    note: str = ""
    perceptual_hash: str = ""
    patient: str = ""
    age: str = ""
    sex: str = ""
    view: str = ""
    device: str = ""
    detector: str = ""
    stored: int = 0
    lowest: int = 0
    highest: int = 0
    used: int = 256

    @property
    def refusal(self) -> str:
        """Why the file is not used; empty if it is."""
        return self.problem or self.other

    @property
    def extremes(self) -> Values:
        """The values that the range of the image follows from."""
        return Values(self.detector, self.stored, self.lowest, self.highest)


def examine_image(
    data: bytes, path: str, limits: Limits, hash_patient: Callable[[str], str] = lambda _: "", *, compare: bool = True
) -> Facts:
    """Examine a file.

    Args:
        data: All bytes of the file.
        path: Path of the file, for its suffix.
        limits: What it may be.
        hash_patient: Makes a group from a patient's ID, which itself is not kept.
        compare: Whether to decode the pixels for the perceptual hash and the note. If not, a file that Pillow cannot
            decode may pass: for callers that decode it anyway.
    """
    facts = Facts(hashlib.sha256(data).hexdigest())
    if not data:
        return facts._replace(problem="empty file")
    if is_dicom(data):
        return _examine_dicom(data, facts, limits, hash_patient, compare)
    try:
        with opening.open_image(data) as image:
            facts = facts._replace(width=image.width, height=image.height, mode=image.mode)
            problem = _find_problem(image, data, limits)
            if problem:
                return facts._replace(problem=problem)
            if image.mode == "1":
                return facts._replace(other=opening.MASK)
            notes = _find_notes(image, path)
            seen = _compare(facts, image, notes) if compare or UPPER_BITS in notes else facts
            damage = _find_jpeg_damage(data) if image.format in _JPEG else ""
            return facts._replace(problem=damage) if damage else seen
    except UnidentifiedImageError:
        return facts._replace(problem=opening.name_content(data))
    except Image.DecompressionBombError:
        return facts._replace(problem=f"more than {min(limits.max_pixels, _MOST_PIXELS):,} pixels")
    except OtherObjectError as error:
        return facts._replace(other=str(error))
    except RefusedError as error:
        return facts._replace(problem=str(error))
    except opening.DECODER_ERRORS as error:
        return facts._replace(problem=opening.name_damage(error))


def read_values(data: bytes, limits: Limits) -> Values:
    """Return the values that the range of a file follows from; nothing, if it says its range or is refused."""
    try:
        if is_dicom(data):
            file = dicom.open_dicom(data)
            return Values() if _size_problem(file.width, file.height, limits) else file.values
        with opening.open_image(data) as image:
            return Values() if _size_problem(image.width, image.height, limits) else opening.values_of(image)
    except opening.DECODER_ERRORS:
        return Values()


def _compare(facts: Facts, image: Image.Image, notes: Sequence[str]) -> Facts:
    """Decode an image, and add its notes, its values and its perceptual hash."""
    whole = decode_grey(image)
    values = opening.values_of(image)
    levels = whole.histogram()
    if opening.is_mask(levels):
        return facts._replace(other=opening.MASK)
    if UPPER_BITS in notes and _count_used(levels) < LEAST_SHARE * len(levels):
        return facts._replace(problem="16 bits in several channels, of which the upper 8 show next to nothing")
    grey = shrink(whole)
    notes = [*notes, *([BLANK] if grey.min() == grey.max() else [])]
    return facts._replace(
        note=BETWEEN_NOTES.join(notes),
        perceptual_hash=perceptual_hash(grey),
        used=_count_used(levels),
        **(values._asdict() if values.detector else {}),
    )


def _count_used(levels: Sequence[int]) -> int:
    """Count the levels from the darkest to the brightest pixels, without outliers."""
    filled = np.cumsum(levels) / sum(levels)
    return int(np.searchsorted(filled, 1 - _OUTLIERS) - np.searchsorted(filled, _OUTLIERS, side="right")) + 1


def _examine_dicom(
    data: bytes, facts: Facts, limits: Limits, hash_patient: Callable[[str], str], compare: bool
) -> Facts:
    """Find out what a DICOM file is."""
    try:
        file = dicom.open_dicom(data)
        facts = facts._replace(width=file.width, height=file.height, mode=file.photometric, stored=8)
        verdict = file.judge(limits.words)
        problem = _size_problem(file.width, file.height, limits)
        if problem:
            return facts._replace(problem=problem)
        facts = facts._replace(
            patient=hash_patient(file.patient_id), age=file.age, sex=file.sex, view=verdict.view, device=file.device
        )
        if not compare:
            return facts
        values = file.values
        facts = facts._replace(**(values._asdict() if values.detector else {}))
        return _compare(facts, file.grey(), (*verdict.notes, *file.pixel_notes))
    except OtherObjectError as error:
        return facts._replace(other=str(error))
    except RefusedError as error:
        return facts._replace(problem=str(error))


def _find_problem(image: Image.Image, data: bytes, limits: Limits) -> str:
    """Say why an image is refused, as far as its header and its last bytes show."""
    if getattr(image, "is_animated", False) and image.format != "MPO":
        return "animated, or several images in one file"
    problem = _size_problem(image.width, image.height, limits) or _tiff_problem(image)
    if problem:
        return problem
    if image.mode not in _MODES and not image.mode.startswith("I"):
        return f"colour mode {image.mode}: store it in grey of 8 or 16 bits"
    if not _has_end(image.format or "", data):
        return "truncated: its end is missing"
    return opening.name_unusual_jpeg(data) if image.format in _JPEG else ""


def _tiff_problem(image: Image.Image) -> str:
    """Say why a TIFF is refused that Pillow opens, and reads wrong or not at all."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_COMPRESSION) == _WEBP:
        return opening.UNUSUAL_TIFF
    if image.mode == "L" and _SIGNED in tags.get(_SAMPLE_FORMAT, ()):
        return "signed values of 8 bits: store unsigned ones"  # Pillow takes them as unsigned
    return ""


def _size_problem(width: int, height: int, limits: Limits) -> str:
    """Say why an image of this size is refused."""
    if min(width, height) < limits.min_side:
        return f"too small: {width} x {height} pixels (ingest.min_side is {limits.min_side})"
    return f"more than {limits.max_pixels:,} pixels" if width * height > limits.max_pixels else ""


def _has_end(image_format: str, data: bytes) -> bool:
    """Tell whether the format's last bytes are there, and no image data after them."""
    marker = _END_MARKERS.get(image_format)
    if marker is None:
        return True
    end = data.rfind(marker)
    return end >= 0 and (image_format == "PNG" or data.find(_JPEG_START_OF_SCAN, end) < 0)


def _find_jpeg_damage(data: bytes) -> str:
    """Say what libjpeg finds wrong with a JPEG's image data; Pillow decodes over it and passes no warning on."""
    try:
        simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, fastupsample=True, min_height=1, min_width=1, strict=True)
    except ValueError as error:
        warning = str(error).partition("\n")[0]
        if warning.startswith(_JPEG_TRUNCATION):
            return "truncated: image data ends before the image does"
        return f"damaged: {warning}" if warning.startswith(_JPEG_DAMAGE) else ""
    return ""


def _find_notes(image: Image.Image, path: str) -> list[str]:
    """Say what is unusual about an image that may be used."""
    notes = []
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in opening.FORMATS[image.format or ""]:
        notes.append(f"{image.format} content in a {suffix or 'nameless'} file")
    if image.format == "MPO":
        notes.append("several pictures: the first is used")
    if not image.mode.startswith("I") and any(";16" in str(tile.args) for tile in getattr(image, "tile", ())):
        notes.append(UPPER_BITS)
    if image.mode == "P":
        notes.append("palette")
    if opening.turn_of(image) is not None:
        notes.append("rotated by its EXIF orientation")
    if image.has_transparency_data or opening.OPAQUE in image.info:
        notes.append("opaque alpha channel")
    return notes
