"""DICOM files that tests make."""

import io
import warnings

import numpy as np
import pydicom
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

FREE_TEXT = ("BodyPartExamined", "ViewPosition", "SeriesDescription", "PatientAge", "PatientSex")


def make(*, implicit=False, big_endian=False, **changes):
    """A small chest radiograph of 12 bits; a value of None removes a tag.

    A table is given as number of entries, first value, bits and a formula of `n`; a code as code and meaning.
    """
    values = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48) * 2
    dataset = pydicom.Dataset()
    tags = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "SOPInstanceUID": "1.2.3.4.5678", "PatientName": "Doe^Jane", "PatientID": "MRN-00815",
        "PatientBirthDate": "19691231", "PatientAge": "006M", "PatientSex": "F", "InstitutionName": "St Elsewhere",
        "Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "AP", "Manufacturer": "ACME",
        "PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1, "Rows": 40, "Columns": 48,
        "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
        "PixelData": values.astype(">u2" if big_endian else "<u2").tobytes(), **changes,
    }  # fmt: skip
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian
    syntax = tags.pop("TransferSyntaxUID", syntax)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    for keyword, value in tags.items():
        if value is not None:
            add(dataset, keyword, value)
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        dataset.save_as(
            content, implicit_vr=implicit, little_endian=not big_endian, enforce_file_format=syntax is not None
        )
    data = content.getvalue()
    return data if syntax is not None or data[128:132] == b"DICM" else bytes(128) + b"DICM" + data


def add(dataset, keyword, value):
    """Add a value as files have it, valid or not."""
    if keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        value = Sequence([table(*value)])
    elif keyword.endswith(("CodeSequence", "RegionSequence")):
        code = pydicom.Dataset()
        code.CodeValue, code.CodeMeaning = value
        value = Sequence([code])
    vr = (
        "LO" if keyword in FREE_TEXT or (isinstance(value, str) and keyword.startswith(("Rescale", "Window"))) else None
    )
    with warnings.catch_warnings(action="ignore"):
        if keyword.startswith("PixelPadding"):
            vr, value = ("US", value or None)
        dataset.add_new(pydicom.datadict.tag_for_keyword(keyword), vr or pydicom.datadict.dictionary_VR(keyword), value)
    if keyword == "PixelData":
        dataset["PixelData"].VR = "OW"
        dataset["PixelData"].is_undefined_length = value.startswith(b"\xfe\xff\x00\xe0")


def table(count, first, bits, formula, *how):
    """A lookup table; entries of 8 bits are packed unless `words` is said."""
    n = np.arange(count, dtype=np.int64)
    entries = eval(formula, {"n": n})
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count % 2**16, first, bits])
    packed = entries.astype(np.uint8 if bits == 8 and not how else "<u2").tobytes()
    item.add_new("LUTData", "OW", packed + b"\0" * (len(packed) % 2))
    return item
