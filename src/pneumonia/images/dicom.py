"""DICOM files: opening them, with or without preamble, the few header values that are read, and their pixels.

What an object is: `pneumonia.images.dicom_header`. How its values become grey: `pneumonia.images.dicom_pixels`.

Privacy: pydicom is only given the tags of `TAGS` to parse, so no other header value is ever in memory. Of these,
`Dicom` exposes age, sex, view, manufacturer, photometric interpretation, rows and columns, each restricted to permitted
values; the patient's ID is only used as a keyed hash (`pneumonia.images.grouping`). No error message quotes a value
but an unknown word for body part, view or modality, or an exception of pydicom, which may contain one.

pydicom comes with the extra `dicom`; without it, DICOM files are refused with a message.
"""

import hashlib
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumonia.images import dicom_codecs
from pneumonia.images.attributes import is_gap, parse_age, parse_sex, write_age
from pneumonia.images.depth import Values
from pneumonia.images.dicom_header import ObjectVerdict, ViewWords, judge
from pneumonia.images.dicom_pixels import Display, display_of, show, stored_values, values_of
from pneumonia.images.dicom_values import TAGS, has_empty_table, read_header, read_tables, readable, with_delimiter
from pneumonia.images.status import OtherObjectError, RefusedError

# Usual suffixes of DICOM files; a file is recognised by its content.
SUFFIXES = (".dcm", ".dicom", ".dic")

INSTALL = "install the extra dicom"

_MONOCHROME = re.compile(r"(?:MONO(?:CHROME)?[ _]*([12])?)?")

# By how much more the sides of square pixels do not differ. [share]
_OBLONG = 0.01

# What pydicom and its decoders raise for damaged files.
ERRORS = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError, RuntimeError,
    OverflowError, MemoryError, RecursionError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


class Dicom:
    """A DICOM file whose header was read."""

    def __init__(self, dataset: Any) -> None:
        """Take a data set of pydicom."""
        self._dataset = dataset
        self.header = read_header(dataset)
        self.width, self.height = (int(self.header.get(name) or 0) for name in ("Columns", "Rows"))

    @cached_property
    def photometric(self) -> str:
        """The meaning of the values: MONOCHROME1 (low values are bright), MONOCHROME2 or COLOUR."""
        match = _MONOCHROME.fullmatch(self._text("PhotometricInterpretation").upper())
        if (self.header.get("SamplesPerPixel") or 1) != 1 or not match:
            return "COLOUR"
        return f"MONOCHROME{match[1] or 2}"

    @property
    def patient_id(self) -> str:
        """The patient's ID. It must never be written: see `pneumonia.images.grouping`."""
        return self._text("PatientID")

    @property
    def age(self) -> str:
        """The patient's age in years; empty if unknown."""
        return write_age(parse_age(self._text("PatientAge")))

    @property
    def sex(self) -> str:
        """F, M, O; empty if unknown."""
        return parse_sex(self._text("PatientSex"))

    @property
    def device(self) -> str:
        """The manufacturer of the device, in at most 40 printable characters; empty if unknown."""
        return "".join(letter for letter in self._text("Manufacturer") if letter.isprintable())[:40]

    def judge(self, words: ViewWords | None) -> ObjectVerdict:
        """Say what the object is, and what is unusual about its header.

        Args:
            words: Words that a user added; None: body part, view and the like do not matter.

        Raises:
            RefusedError: If it is damaged or cannot be decoded here.
            OtherObjectError: If it is sound but no frontal chest radiograph for presentation.
        """
        verdict = ObjectVerdict() if words is None else judge(self.header, words)
        if verdict.other:
            raise OtherObjectError(verdict.other)
        if verdict.problem:
            raise RefusedError(verdict.problem)
        if self.photometric == "COLOUR":
            raise OtherObjectError("colour: a radiograph has only grey levels")
        if (self.header.get("BitsStored") or 0) > 16:
            raise RefusedError("more than 16 bits per pixel")
        self._refuse_missing_codec()
        return verdict._replace(notes=(*verdict.notes, *self._odd_values()))

    def grey(self, bits: int = 0) -> Image.Image:
        """Decode the image to 8 bits, as a viewer would show it.

        Args:
            bits: The range, if the header does not say it: see `pneumonia.images.depth`.

        Raises:
            RefusedError: If it cannot be decoded.
        """
        stored, display = self._pixels
        return Image.fromarray(show(stored, display, bits))

    @property
    def pixel_notes(self) -> tuple[str, ...]:
        """What is unusual about the pixels, and what their header says of them."""
        return self._pixels[1].notes

    @property
    def values(self) -> Values:
        """The values that the range of the image follows from; nothing, if its header says its range.

        Raises:
            RefusedError: If they cannot be decoded.
        """
        with _tables_read():
            header = {**self.header, **read_tables(self._dataset)}
            if not display_of(header, self.header.get("BitsStored") or 16, is_inverted=False).is_open:
                return Values()
        stored, display = self._pixels
        if not display.is_open:
            return Values()
        model = f"{self._text('Manufacturer')}|{self._text('ManufacturerModelName')}|{display.is_signed}"
        detector = hashlib.sha256(model.encode()).hexdigest()[:8]
        return values_of(stored, display, f"DICOM {display.stored} bits {detector}")

    @cached_property
    def _pixels(self) -> tuple[npt.NDArray[np.int32], Display]:
        """The stored values and what the header says about showing them."""
        try:
            raw = dicom_codecs.decode_raw(self._dataset, self.syntax, self.header)
            is_inverted = self.photometric == "MONOCHROME1"
            display = display_of({**self.header, **read_tables(self._dataset)}, raw.bits, is_inverted=is_inverted)
            stored = stored_values(raw.values, raw.bits, raw.high_bit, is_signed=display.is_signed)
        except RefusedError:
            raise
        except ERRORS as error:
            raise RefusedError(f"damaged: its pixel data cannot be decoded ({type(error).__name__})") from error
        return stored, replace(display, notes=(*raw.notes, *display.notes))

    @cached_property
    def syntax(self) -> str:
        """The transfer syntax; without one in the file, what its bytes show."""
        meta = getattr(self._dataset, "file_meta", None) or {}
        if syntax := meta.get("TransferSyntaxUID"):
            return str(syntax)
        pixels = self._dataset.PixelData if "PixelData" in self._dataset else b""
        if pixels.startswith(dicom_codecs.ENCAPSULATED):
            return dicom_codecs.packed_syntax(pixels)
        is_implicit, is_little = self._dataset.original_encoding
        return dicom_codecs.IMPLICIT if is_implicit else dicom_codecs.EXPLICIT if is_little else dicom_codecs.BIG_ENDIAN

    def _refuse_missing_codec(self) -> None:
        """Refuse a transfer syntax that no installed decoder reads."""
        from pydicom.pixels import get_decoder
        from pydicom.uid import UID

        try:
            is_available = get_decoder(UID(self.syntax)).is_available
        except ERRORS as error:
            raise RefusedError("unknown transfer syntax: export it uncompressed") from error
        if not is_available:
            advice = INSTALL if self.syntax in dicom_codecs.READ else "export it uncompressed"
            raise RefusedError(f"no decoder for {UID(self.syntax).name} is installed: {advice}")

    def _odd_values(self) -> list[str]:
        """Return notes on header values that cannot be read."""
        with _tables_read():
            is_empty = has_empty_table(self._dataset)
        age, sex, meaning = (self._text(name) for name in ("PatientAge", "PatientSex", "PhotometricInterpretation"))
        shape = self._text("PresentationLUTShape").upper()
        odd = {
            "age cannot be read": not is_gap(age) and not self.age,
            "sex cannot be read": not is_gap(sex) and not self.sex and sex.upper() != "U",
            "lookup table without entries: not used": is_empty,
            "pixels are not square: shown as if they were": self._is_oblong(),
            "photometric interpretation missing: read as MONOCHROME2": not meaning,
            "photometric interpretation not as the standard writes it": bool(meaning) and meaning != self.photometric,
            "presentation LUT shape contradicts the photometric interpretation, which counts": (
                shape in ("IDENTITY", "INVERSE") and (shape == "INVERSE") != (self.photometric == "MONOCHROME1")
            ),
        }
        return [note for note, applies in odd.items() if applies]

    def _is_oblong(self) -> bool:
        """Tell whether pixels have another height than width, by the first of the header's values that tells it."""
        told = (self.header.get(name) or () for name in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"))
        sizes = next((sizes for sizes in map(_sizes, told) if sizes), (1.0, 1.0))
        return abs(sizes[0] / sizes[1] - 1) > _OBLONG

    def _text(self, name: str) -> str:
        return str(self.header.get(name, ""))


def _sizes(told: Sequence[str]) -> tuple[float, float] | None:
    """Return height and width of a pixel; None if they are no two positive numbers."""
    numbers = [float(text) for text in told if re.fullmatch(r"\d+(\.\d+)?", text)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None


@contextmanager
def _tables_read() -> Iterator[None]:
    """Refuse a file whose lookup tables cannot be read."""
    try:
        yield
    except ERRORS as error:
        raise RefusedError(f"damaged: its lookup table cannot be read ({type(error).__name__})") from error


def open_dicom(data: bytes) -> Dicom:
    """Read a DICOM file's header.

    Raises:
        RefusedError: If it cannot be read, or pydicom is not installed.
    """
    pydicom = load_pydicom()
    try:
        whole = readable(data)
        dataset = pydicom.dcmread(io.BytesIO(whole), specific_tags=list(TAGS), force=True)
        if "PixelData" not in dataset and (closed := with_delimiter(whole)):
            dataset = pydicom.dcmread(io.BytesIO(closed), specific_tags=list(TAGS), force=True)
        return Dicom(dataset)
    except RefusedError:
        raise
    except ERRORS as error:
        raise RefusedError(f"damaged: its header cannot be read ({type(error).__name__})") from error
    except (pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException) as error:
        raise RefusedError("damaged: its header cannot be read") from error


@cache
def load_pydicom() -> ModuleType:
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
    pydicom.config.convert_wrong_length_to_UN = True  # an element of a wrong length is no reason to end a run
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom|pneumonia\.images\.dicom")
    return pydicom
