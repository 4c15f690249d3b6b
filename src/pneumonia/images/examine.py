"""Facts about an image file, found by decoding it completely: hash, size, mode, faults, perceptual hash.

The perceptual hash is the usual DCT hash at 16 x 16 coefficients: the image at 32 x 32 grey values (area average), its
two-dimensional DCT-II, of that the 16 x 16 lowest frequencies without the mean, each one bit: above the median or not.
256 bits, not 64, because with 64 bits many different chest radiographs look the same.

Not detected: a changed byte that leaves a JPEG's data decodable (four of five single bytes), missing last scans of a
progressive JPEG whose end marker was put back, and rows missing from a PNG whose data are intact.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
import simplejpeg
from PIL import ExifTags, Image, UnidentifiedImageError

from pneumonia.images import dicom
from pneumonia.images.opening import DECODER_ERRORS, FORMATS, open_image, to_grey
from pneumonia.images.refusal import RefusedError

# Must change whenever this module finds something different in the same bytes.
FACTS_VERSION = f"6-pillow{PIL.__version__}-simplejpeg{simplejpeg.__version__}"

# Pillow decodes no larger image.
_MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)

# The note on an image that shows nothing.
BLANK = "blank: one grey level"

# The last bytes of a whole file. Pillow accepts files that end just before them.
_END_MARKERS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
# How files of each format begin.
_SIGNATURES = (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_JPEG_START_OF_SCAN = b"\xff\xda"

# How libjpeg's warnings about damaged data begin. It goes on decoding, with grey or shifted blocks.
_JPEG_TRUNCATION = ("Premature end of JPEG file", "Corrupt JPEG data: premature end")
_JPEG_DAMAGE = ("Corrupt JPEG data", "Inconsistent progression sequence")

# Width and height of the grey values that are compared, in pixels.
SIDE = 32
# Number of DCT coefficients that are compared, in each direction.
_FREQUENCIES = 16
# Smallest width and height, in pixels, at which a JPEG is decoded for comparison.
_DRAFT_SIDE = 2 * SIDE


class Limits(NamedTuple):
    """Limits for an image: smallest width and height, largest number of pixels."""

    min_side: int
    max_pixels: int


class Facts(NamedTuple):
    """What is known of a file.

    Attributes:
        sha256: SHA-256 of the bytes, in hexadecimal.
        width: Width in pixels as stored; 0 if unknown.
        height: Height in pixels as stored; 0 if unknown.
        mode: As stored: Pillow's (L or I;16 for grey, RGB for colour), or the photometric interpretation of DICOM;
            empty if unknown.
        problem: Why the image must not be used; empty if it may.
        note: What is unusual about a usable image.
        perceptual_hash: 64 hexadecimal digits; empty for an image without contrast.
        patient: Group by the patient's ID in a DICOM header, as a keyed hash; like the following empty if unknown.
        age: Age in years.
        sex: F, M or O.
        view: View position, such as PA.
        device: Manufacturer of the device.
    """

    sha256: str
    width: int = 0
    height: int = 0
    mode: str = ""
    problem: str = ""
    note: str = ""
    perceptual_hash: str = ""
    patient: str = ""
    age: str = ""
    sex: str = ""
    view: str = ""
    device: str = ""


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
    if dicom.is_dicom(data):
        return _examine_dicom(data, facts, limits, hash_patient, compare)
    try:
        with open_image(data) as image:
            facts = facts._replace(width=image.width, height=image.height, mode=image.mode)
            problem = _find_problem(image, data, limits)
            if problem:
                return facts._replace(problem=problem)
            seen = _compare(facts, image, path) if compare else facts
            damage = _find_jpeg_damage(data) if image.format == "JPEG" else ""
            return facts._replace(problem=damage) if damage else seen
    except UnidentifiedImageError:
        return facts._replace(problem=_name_content(data))
    except Image.DecompressionBombError:
        return facts._replace(problem=f"more than {min(limits.max_pixels, _MOST_PIXELS):,} pixels")
    except RefusedError as error:
        return facts._replace(problem=str(error))
    except DECODER_ERRORS as error:
        return facts._replace(problem=_name_damage(error))


def _compare(facts: Facts, image: Image.Image, path: str) -> Facts:
    """Decode an image, and add its note and its perceptual hash."""
    grey = grey_values(image)
    note = ", ".join(filter(None, (_find_note(image, path), _blank_note(grey))))
    return facts._replace(note=note, perceptual_hash=perceptual_hash(grey))


def _blank_note(grey: npt.NDArray[np.float64]) -> str:
    return BLANK if grey.min() == grey.max() else ""


def _examine_dicom(
    data: bytes, facts: Facts, limits: Limits, hash_patient: Callable[[str], str], compare: bool
) -> Facts:
    """Find out what a DICOM file is."""
    try:
        file = dicom.open_dicom(data)
        facts = facts._replace(width=file.width, height=file.height, mode=file.photometric)
        file.refuse_unsuitable()
        problem = _size_problem(file.width, file.height, limits)
        if problem:
            return facts._replace(problem=problem)
        grey = grey_values(file.grey()) if compare else None
        return facts._replace(
            note="" if grey is None else _blank_note(grey),
            perceptual_hash="" if grey is None else perceptual_hash(grey),
            patient=hash_patient(file.patient_id),
            age=file.age,
            sex=file.sex,
            view=file.view,
            device=file.device,
        )
    except RefusedError as error:
        return facts._replace(problem=str(error))


def grey_values(image: Image.Image) -> npt.NDArray[np.float64]:
    """Decode an image completely and return it as `[32, 32]` grey values, 0 to 255."""
    image.draft("L", (_DRAFT_SIDE, _DRAFT_SIDE))
    image.load()
    small = to_grey(image).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


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


def _find_problem(image: Image.Image, data: bytes, limits: Limits) -> str:
    """Say why an image is refused, as far as its header and its last bytes show."""
    if getattr(image, "is_animated", False):
        return "animated, or several images in one file"
    problem = _size_problem(image.width, image.height, limits)
    if problem:
        return problem
    is_deep = image.mode.startswith("I")
    if not is_deep and any(";16" in str(tile.args) for tile in getattr(image, "tile", ())):
        return "16 bits in several channels"
    if image.has_transparency_data:
        return "transparency"
    if image.mode not in ("L", "RGB", "P") and not is_deep:
        return f"colour mode {image.mode}"
    return "" if _has_end(image.format or "", data) else "truncated: its end is missing"


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
    return end >= 0 and (image_format != "JPEG" or data.find(_JPEG_START_OF_SCAN, end) < 0)


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


def _find_note(image: Image.Image, path: str) -> str:
    """Say what is unusual about an image that may be used."""
    notes = []
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in FORMATS[image.format or ""]:
        notes.append(f"{image.format} content in a {suffix or 'nameless'} file")
    if image.mode == "P":
        notes.append("palette")
    if "exif" in image.info and image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9):
        notes.append("rotated by its EXIF orientation")
    return ", ".join(notes)


def _name_content(data: bytes) -> str:
    """Say what a file that cannot be opened as an image may be instead."""
    if _is_text(data[:512]):
        return "text, not an image"
    return "damaged: its header cannot be read" if data.startswith(_SIGNATURES) else "not an image"


def _is_text(start: bytes) -> bool:
    return all(32 <= byte < 0xFE or byte in b"\t\r\n" for byte in start)


def _name_damage(error: Exception) -> str:
    """Say what is wrong with a file that its decoder gave up on."""
    text = str(error).strip()
    return f"truncated: {text}" if "truncated" in text.lower() else f"damaged: {text or type(error).__name__}"
