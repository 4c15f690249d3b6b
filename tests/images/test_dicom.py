import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian

from pneumonia.base.errors import UserError
from pneumonia.images.dicom import is_dicom, open_dicom
from pneumonia.images.examine import Limits, examine_image
from pneumonia.images.patient_key import PatientKey
from pneumonia.images.refusal import RefusedError
from pneumonia.pixels.decoding import decode_image

LIMITS = Limits(min_side=32, max_pixels=50_000_000)


def test_file(name):
    """The bytes of a file of pydicom-data, which the extra dev installs."""
    path = pydicom.data.get_testdata_file(name, download=False)
    assert path is not None, f"{name} is missing: pip install pydicom-data"
    return Path(path).read_bytes()


test_file.__test__ = False


def make(**changes):
    """A small chest radiograph of 12 bits; a value of None removes a tag."""
    values = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48) * 2
    dataset = pydicom.Dataset()
    tags = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1", "SOPInstanceUID": "1.2.3.4.5678", "PatientName": "Doe^Jane",
        "PatientID": "MRN-00815", "PatientBirthDate": "19691231", "PatientAge": "006M", "PatientSex": "F",
        "InstitutionName": "St Elsewhere", "Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "AP",
        "Manufacturer": "ACME", "PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1, "Rows": 40,
        "Columns": 48, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
        "PixelData": values.tobytes(), **changes,
    }  # fmt: skip
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = tags.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    for keyword, value in tags.items():
        if value is not None:
            setattr(dataset, keyword, value)
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        dataset.save_as(content, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return content.getvalue()


def test_a_dicom_file_is_known_by_its_content():
    assert is_dicom(make())
    assert not is_dicom(b"DICM" + bytes(400))


def test_lungs_are_darker_than_the_mediastinum_in_a_real_chest():
    pixels = decode_image(test_file("RG1_UNCR.dcm"), 256, "pad")

    left, right, mediastinum = pixels[80:120, 55:85], pixels[80:120, 170:200], pixels[110:150, 120:145]
    assert left.mean() < mediastinum.mean() - 20
    assert right.mean() < mediastinum.mean() - 20


def test_compressed_and_uncompressed_files_give_the_same_pixels():
    plain, compressed = (np.asarray(open_dicom(test_file(f"RG1_{kind}.dcm")).grey()) for kind in ("UNCR", "J2KR"))

    assert plain.shape == (1955, 1841)
    assert np.array_equal(plain, compressed)


def test_a_window_is_the_formula_of_the_standard():
    # PS3.3 C.11.2.1.2.1 with centre 15,000 and width 30,000, then inverted: 255 - 255 ((x - 14,999.5) / 29,999 + 0.5).
    stored = pydicom.dcmread(io.BytesIO(test_file("RG1_UNCR.dcm"))).pixel_array
    expected = 255 - np.rint(255 * np.clip((stored - 14_999.5) / 29_999 + 0.5, 0, 1))

    assert np.array_equal(np.asarray(open_dicom(test_file("RG1_UNCR.dcm")).grey()), expected)


@pytest.mark.parametrize("name", ["vlut_04.dcm", "mlut_18.dcm", "JPEG-LL.dcm"])
def test_lookup_tables_and_codecs_give_the_values_that_pydicom_gives(name):
    dataset = pydicom.dcmread(io.BytesIO(test_file(name)))
    expected = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)

    levels, low, high = open_dicom(test_file(name)).levels()

    assert np.array_equal(levels, expected)
    assert low <= levels.min() < levels.max() <= high


@pytest.mark.parametrize(("bits", "expected"), [(12, 255), (16, 16)])
def test_the_range_follows_from_the_bit_depth_of_the_header(bits, expected):
    values = np.full((40, 48), 4095, np.uint16)
    data = make(BitsStored=bits, HighBit=bits - 1, PixelData=values.tobytes())

    assert np.all(np.asarray(open_dicom(data).grey()) == expected)


def test_monochrome1_is_inverted_and_padding_stays_black():
    values = np.full((40, 48), 4095, np.uint16)
    values[:, :8] = 7
    data = make(PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=7, PixelData=values.tobytes())

    grey = np.asarray(open_dicom(data).grey())

    assert np.all(grey == 0)
    assert np.all(np.asarray(open_dicom(make(PixelData=values.tobytes())).grey())[:, 8:] == 255)


def test_signed_values_and_a_rescaling_are_understood():
    values = np.linspace(-2048, 2047, 40 * 48).astype(np.int16).reshape(40, 48)
    data = make(PixelRepresentation=1, RescaleSlope=2, RescaleIntercept=-1000, PixelData=values.tobytes())

    levels, low, high = open_dicom(data).levels()

    assert (levels[0, 0], low) == (-5096, -5096)
    assert (levels[-1, -1], high) == (3094, 3094)


REFUSED = {
    "several frames in one file": {"NumberOfFrames": 2},
    "raw detector data (FOR PROCESSING): export the image for presentation": {
        "PresentationIntentType": "FOR PROCESSING"
    },
    "burned-in annotation, which may name the patient": {"BurnedInAnnotation": "YES"},
    "no pixel data": {"PixelData": None},
    "not a radiograph: other modality": {"Modality": "CT"},
    "not a chest: other body part": {"BodyPartExamined": "HAND"},
    "not a frontal view: other view position": {"ViewPosition": "LL"},
    "colour: a radiograph has only grey levels": {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3},
    "more than 16 bits per pixel": {"BitsStored": 32, "BitsAllocated": 32},
    "unknown transfer syntax: export it uncompressed": {"TransferSyntaxUID": "1.2.3.4"},
    "deflated: export it uncompressed": {"TransferSyntaxUID": "1.2.840.10008.1.2.1.99"},
    "too small: 48 x 20 pixels (ingest.min_side is 32)": {"Rows": 20},
    "damaged: its pixel data cannot be decoded (ValueError)": {"Rows": 4000, "Columns": 4000},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_an_unsuitable_file_is_refused_in_one_sentence(reason):
    assert examine_image(make(**REFUSED[reason]), "a.dcm", LIMITS).problem == reason


def test_an_image_of_one_grey_level_gets_a_note():
    assert examine_image(make(PixelData=bytes(2 * 40 * 48)), "a.dcm", LIMITS).note == "blank: one grey level"
    assert examine_image(make(), "a.dcm", LIMITS).note == ""


def test_the_decoder_refuses_the_same_files():
    with pytest.raises(UserError, match="raw detector data"):
        decode_image(make(PresentationIntentType="FOR PROCESSING"), 32, "pad")


def test_a_damaged_header_is_refused_without_quoting_it():
    data = make().replace(b"MRN-00815", b"MRN-\xff\xfe815")
    cut = make()[:-700]

    assert examine_image(cut, "a.dcm", LIMITS).problem.startswith("damaged: its pixel data")
    for place in range(132, len(data), 293):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        problem = examine_image(bytes(damaged), "a.dcm", LIMITS).problem
        assert not any(value in problem for value in ("MRN", "Doe", "Elsewhere", "1969"))


def test_without_a_body_part_or_view_a_radiograph_is_accepted():
    assert examine_image(make(BodyPartExamined=None, ViewPosition=None), "a.dcm", LIMITS).problem == ""


def test_of_the_header_only_harmless_values_and_a_keyed_hash_are_kept(tmp_path):
    key = PatientKey(tmp_path / "key")

    facts = examine_image(make(), "a.dcm", LIMITS, key.group_of)

    assert (facts.width, facts.height, facts.mode) == (48, 40, "MONOCHROME2")
    assert (facts.age, facts.sex, facts.view, facts.device) == ("0.5", "F", "AP", "ACME")
    assert facts.patient == key.group_of("MRN-00815")
    kept = " ".join(map(str, facts))
    assert not any(value in kept for value in ("MRN-00815", "Doe", "19691231", "Elsewhere", "1.2.3.4.5678"))


@pytest.mark.parametrize(
    ("tag", "value", "field"),
    [("PatientAge", "Doe^J", "age"), ("PatientSex", "Doe", "sex"), ("Manufacturer", "", "device")],
)
def test_a_value_that_is_none_of_its_kind_is_not_kept(tag, value, field):
    assert getattr(examine_image(make(**{tag: value}), "a.dcm", LIMITS), field) == ""


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "deep" / "key"

    group = PatientKey(path).group_of("MRN-00815")

    assert PatientKey(path).group_of("MRN-00815") == group
    assert PatientKey(path).group_of("MRN-00816") != group
    assert PatientKey(tmp_path / "other").group_of("MRN-00815") != group
    assert path.stat().st_mode & 0o077 == 0
    assert PatientKey(path).group_of("") == ""


def test_a_key_that_another_run_makes_after_this_one_found_none_is_used(tmp_path, monkeypatch):
    path, others, exists = tmp_path / "key", [], Path.exists

    def exists_after_a_moment(self):
        found = exists(self)
        if self == path and not found and not others:
            others.append(PatientKey(path))
            others[0].make()
        return found

    monkeypatch.setattr(Path, "exists", exists_after_a_moment)

    group = PatientKey(path).group_of("MRN-00815")

    assert group == others[0].group_of("MRN-00815") == PatientKey(path).group_of("MRN-00815")


def test_the_key_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMONIA_PATIENT_KEY", "shared between two machines")

    assert PatientKey(tmp_path / "a").group_of("1") == PatientKey(tmp_path / "b").group_of("1")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_an_error_with_the_reason_as_its_message():
    with pytest.raises(RefusedError, match="several frames"):
        open_dicom(make(NumberOfFrames=2)).grey()
