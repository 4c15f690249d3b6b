"""Chest radiographs in DICOM files: the pixels as a viewer shows them, and the few header fields that are kept.

Stored values go through the modality LUT (or rescale slope and intercept), then the VOI LUT or window, then, for
MONOCHROME1, inversion (DICOM PS3.3 C.11.1, C.11.2, C.7.6.3.1.2); the range that is scaled to 8 bits follows from the
header's bit depth, not from the values.

Privacy: pydicom is only given the tags of `_TAGS` to parse, so no other header value is ever in memory. Of these,
`Dicom` exposes age, sex, view, manufacturer, photometric interpretation, rows and columns, each restricted to permitted
values; the patient's ID is only used as a keyed hash (`pneumonia.images.patient_key`). No error message quotes a value,
or an exception of pydicom, which may contain one.

pydicom comes with the extra `dicom`; without it, DICOM files are refused with a message.
"""

import io
import logging
import re
import warnings
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.images.refusal import RefusedError

# Usual suffixes of DICOM files; a file is recognised by its content.
SUFFIXES = (".dcm", ".dicom", ".dic")

INSTALL = "install the extra dicom"

# Modalities whose images are projections: computed and digital radiography, fluoroscopy, and what secondary captures
# and film scanners write.
_MODALITIES = frozenset(["CR", "DX", "DR", "RG", "RF", "SC", "OT"])
_CHEST = re.compile(r"CHEST|THORAX|LUNG")
_FRONTAL = frozenset(["PA", "AP"])
_VIEWS = frozenset(["PA", "AP", "LL", "RL", "LLD", "RLD", "LLO", "RLO"])
_AGE = re.compile(r"(\d{3})([DWMY])")
_AGE_UNITS_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}

# The data set itself is compressed; pydicom would unpack it without a limit.
_DEFLATED = b"1.2.840.10008.1.2.1.99"
# Bytes at the beginning of a file that contain the transfer syntax.
_META_BYTES = 65_536

_TAGS = (
    # What becomes a fact about the image.
    "PatientID", "PatientAge", "PatientSex", "ViewPosition", "Manufacturer", "PhotometricInterpretation", "Rows",
    "Columns",
    # What decides whether the image is used.
    "Modality", "BodyPartExamined", "NumberOfFrames", "PresentationIntentType", "BurnedInAnnotation",
    # What the pixels need.
    "SamplesPerPixel", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept",
    "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "PixelData",
)  # fmt: skip

# What pydicom and its decoders raise for damaged files.
_ERRORS = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError, RuntimeError,
    OverflowError, MemoryError,
)  # fmt: skip


class Dicom:
    """A DICOM file whose header was read."""

    def __init__(self, dataset: Any) -> None:
        """Take a data set of pydicom."""
        self._dataset = dataset
        self.width = int(self._dataset.get("Columns") or 0)
        self.height = int(self._dataset.get("Rows") or 0)

    @property
    def photometric(self) -> str:
        """The meaning of the values, such as MONOCHROME1 (low values are bright)."""
        text = self._text("PhotometricInterpretation").upper()
        return text if text in ("MONOCHROME1", "MONOCHROME2") else "COLOUR"

    @property
    def patient_id(self) -> str:
        """The patient's ID. It must never be written: see `pneumonia.images.patient_key`."""
        return self._text("PatientID")

    @property
    def age(self) -> str:
        """The patient's age in years; empty if unknown."""
        match = _AGE.fullmatch(self._text("PatientAge"))
        return f"{int(match[1]) / _AGE_UNITS_PER_YEAR[match[2]]:.4g}" if match else ""

    @property
    def sex(self) -> str:
        """F, M, O; empty if unknown."""
        text = self._text("PatientSex").upper()
        return text if text in ("F", "M", "O") else ""

    @property
    def view(self) -> str:
        """The view position, such as PA; empty if unknown."""
        text = self._text("ViewPosition").upper()
        return text if text in _VIEWS else ""

    @property
    def device(self) -> str:
        """The manufacturer of the device, in at most 40 printable characters; empty if unknown."""
        return "".join(letter for letter in self._text("Manufacturer") if letter.isprintable())[:40]

    def refuse_unsuitable(self) -> None:
        """Refuse anything but a single frontal chest radiograph for presentation.

        Raises:
            RefusedError: With the reason.
        """
        try:
            reasons = self._reasons()
        except _ERRORS as error:
            raise RefusedError(f"damaged: its header cannot be read ({type(error).__name__})") from error
        for reason, applies in reasons.items():
            if applies:
                raise RefusedError(reason)
        self._refuse_missing_codec()

    def _reasons(self) -> dict[str, bool]:
        """Return every reason to refuse an image, and whether it applies."""
        return {
            "no pixel data": "PixelData" not in self._dataset,
            "several frames in one file": int(self._dataset.get("NumberOfFrames") or 1) > 1,
            "raw detector data (FOR PROCESSING): export the image for presentation": (
                self._text("PresentationIntentType").upper() == "FOR PROCESSING"
            ),
            "burned-in annotation, which may name the patient": self._text("BurnedInAnnotation").upper() == "YES",
            "not a radiograph: other modality": self._text("Modality").upper() not in {*_MODALITIES, ""},
            "not a chest: other body part": not self._is_chest(),
            "not a frontal view: other view position": (self._text("ViewPosition").upper() not in {*_FRONTAL, ""}),
            "colour: a radiograph has only grey levels": self.photometric == "COLOUR",
            "more than 16 bits per pixel": int(self._dataset.get("BitsStored") or 0) > 16,
        }

    def grey(self) -> Image.Image:
        """Decode the image to 8 bits, as a viewer would show it.

        Raises:
            RefusedError: If it is not suitable, or cannot be decoded.
        """
        self.refuse_unsuitable()
        try:
            levels, low, high = self.levels()
            grey = np.clip(np.rint((levels - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
            if self.photometric == "MONOCHROME1":
                grey = 255 - grey
            grey[self._padding()] = 0
        except _ERRORS as error:
            raise RefusedError(f"damaged: its pixel data cannot be decoded ({type(error).__name__})") from error
        return Image.fromarray(grey)

    def levels(self) -> tuple[npt.NDArray[np.float64], float, float]:
        """Return the values after modality LUT and VOI LUT or window, `[rows, columns]`, and the ends of the range."""
        from pydicom.pixels import apply_modality_lut, apply_voi_lut

        stored = self._dataset.pixel_array
        if stored.shape != (self.height, self.width):
            raise ValueError("the shape of the pixels differs from the header")
        values = apply_modality_lut(stored, self._dataset)
        low, high = self._modality_range()
        if self._dataset.get("VOILUTSequence"):
            # A lookup needs integers, but rescaling has made floats.
            values = apply_voi_lut(np.rint(values).astype(np.int64), self._dataset, prefer_lut=True)
            low, high = 0.0, 2.0 ** self._lut_bits(self._dataset.VOILUTSequence) - 1
        elif self._has_window():
            values = apply_voi_lut(values, self._dataset)
        return values.astype(np.float64), low, high

    def _modality_range(self) -> tuple[float, float]:
        """Return the ends of the range after the modality LUT, as the header's bit depth gives them."""
        if self._dataset.get("ModalityLUTSequence"):
            return 0.0, 2.0 ** self._lut_bits(self._dataset.ModalityLUTSequence) - 1
        bits = int(self._dataset.BitsStored)
        ends = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if self._is_signed() else (0.0, 2.0**bits - 1)
        slope = float(self._dataset.get("RescaleSlope") or 1)
        intercept = float(self._dataset.get("RescaleIntercept") or 0)
        low, high = (end * slope + intercept for end in ends)
        return low, high

    def _padding(self) -> npt.NDArray[np.bool_]:
        """Tell which pixels are padding around the image, `[rows, columns]`: they become black."""
        stored = self._dataset.pixel_array
        if "PixelPaddingValue" not in self._dataset:
            return np.zeros(stored.shape, bool)
        value = int(self._dataset.PixelPaddingValue)
        low, high = sorted((value, int(self._dataset.get("PixelPaddingRangeLimit", value))))
        return (stored >= low) & (stored <= high)

    def _refuse_missing_codec(self) -> None:
        """Refuse a transfer syntax that no installed decoder reads."""
        from pydicom.pixels import get_decoder

        syntax: Any = getattr(self._dataset.file_meta, "TransferSyntaxUID", None)
        try:
            is_available = get_decoder(syntax).is_available
        except (NotImplementedError, AttributeError, TypeError, ValueError) as error:
            raise RefusedError("unknown transfer syntax: export it uncompressed") from error
        if not is_available:
            raise RefusedError(f"no decoder for {syntax.name} is installed: {INSTALL}")

    def _is_chest(self) -> bool:
        part = self._text("BodyPartExamined").upper()
        return not part or _CHEST.search(part) is not None

    def _is_signed(self) -> bool:
        return int(self._dataset.get("PixelRepresentation") or 0) == 1

    def _has_window(self) -> bool:
        return self._dataset.get("WindowCenter") is not None and self._dataset.get("WindowWidth") is not None

    def _text(self, keyword: str) -> str:
        try:
            value = self._dataset.get(keyword)
        except _ERRORS as error:
            raise RefusedError(f"damaged: its header cannot be read ({type(error).__name__})") from error
        return "" if value is None else str(value).strip()

    @staticmethod
    def _lut_bits(sequence: Any) -> int:
        return int(sequence[0].LUTDescriptor[2])


def is_dicom(data: bytes) -> bool:
    """Tell whether a file is DICOM (part 10), by its content."""
    return data[128:132] == b"DICM"


def open_dicom(data: bytes) -> Dicom:
    """Read a DICOM file's header.

    Raises:
        RefusedError: If it cannot be read, or pydicom is not installed.
    """
    pydicom = _pydicom()
    if _DEFLATED in data[:_META_BYTES]:
        raise RefusedError("deflated: export it uncompressed")
    try:
        return Dicom(pydicom.dcmread(io.BytesIO(data), specific_tags=list(_TAGS)))
    except _ERRORS as error:
        raise RefusedError(f"damaged: its header cannot be read ({type(error).__name__})") from error
    except pydicom.errors.InvalidDicomError as error:
        raise RefusedError("damaged: its header cannot be read") from error


@cache
def _pydicom() -> ModuleType:
    """Import pydicom, and keep it from quoting values of headers in warnings and logs.

    Raises:
        RefusedError: If it is not installed.
    """
    try:
        import pydicom
        import pydicom.config
        import pydicom.errors  # noqa: F401 - an attribute of pydicom from here on
        import pydicom.pixels  # noqa: F401
    except ImportError as error:
        raise RefusedError(f"DICOM file, which needs another package: {INSTALL}") from error
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom|pneumonia\.images\.dicom")
    return pydicom
