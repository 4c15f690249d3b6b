"""DICOM files of every kind, real or made here, against `tests/cases/dicom.yml` and the rendering of the standard."""

import io
import itertools
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
import yaml
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from tests.cases.writing import transcoded
from tests.images.dicom_files import make

from pneumonia.images import dicom_apart, dicom_pixels
from pneumonia.images.depth import Values
from pneumonia.images.dicom import open_dicom
from pneumonia.images.dicom_codecs import first_frame
from pneumonia.images.dicom_header import ViewWords, judge
from pneumonia.images.dicom_values import is_dicom
from pneumonia.images.examine import Limits, examine_image, read_values
from pneumonia.images.grouping import PatientKey
from pneumonia.images.status import RefusedError
from pneumonia.pixels.decoding import decode_image

LIMITS = Limits(min_side=32, max_pixels=50_000_000)
CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/dicom.yml").read_text(encoding="utf-8"))
BASELINE, LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
EXTENDED, DEFLATED = "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.1.99"


def test_file(name):
    """The bytes of a file of pydicom-data, which the extra dev installs."""
    path = pydicom.data.get_testdata_file(name, download=False)
    assert path is not None, f"{name} is missing: pip install pydicom-data"
    return Path(path).read_bytes()


test_file.__test__ = False


def grey(**tags):
    return np.asarray(open_dicom(make(**tags)).grey())


def row(values, **tags):
    """An image of one row."""
    return {"Rows": 1, "Columns": len(values), "PixelData": np.array(values).astype(np.uint16).tobytes(), **tags}


def alternatives():
    """Each object of the cases; of a header value with several alternatives, one after the other."""
    for header, refusal, view, notes in CASES["objects"]:
        listed = [
            [(name, one) for one in (value if isinstance(value, list) else [value])] for name, value in header.items()
        ]
        for chosen in itertools.product(*listed):
            yield pytest.param(dict(chosen), refusal, view, notes, id=" ".join(f"{k}={v}" for k, v in chosen))


@pytest.mark.parametrize(("header", "refusal", "view", "notes"), list(alternatives()))
def test_an_object_is_used_or_not_with_the_notes_of_the_cases(header, refusal, view, notes):
    data = make(ViewPosition=header.pop("ViewPosition", "PA"), **header)

    facts, verdict = examine_image(data, "a.dcm", LIMITS), judge(open_dicom(data).header)

    assert facts.problem == ""
    assert facts.other.startswith(refusal)
    assert bool(facts.other) == bool(refusal)
    assert (view or verdict.view) == verdict.view
    if not refusal:
        assert facts.view == view
        found = facts.note.split("; ") if facts.note else []
        assert [note[: len(start)] for note, start in itertools.zip_longest(found, notes, fillvalue="")] == notes


@pytest.mark.parametrize("name", CASES["pixels"])
def test_values_become_the_grey_levels_of_the_cases(name):
    bits, header, values, expected = CASES["pixels"][name]

    assert grey(**row(values, BitsStored=bits, **{"HighBit": bits - 1, **header})).tolist() == [expected]


def test_unknown_words_are_quoted_but_neither_digits_nor_the_patients_id():
    note = judge(open_dicom(make(BodyPartExamined="Foo bar 0815 Doe77 MRN", PatientID="MRN-00815")).header).notes

    assert note == ("body part not known: FOO BAR",)


@pytest.mark.parametrize(
    ("words", "header", "other"),
    [
        (ViewWords(chest=("Pulmo-Raum",)), {"BodyPartExamined": "pulmo raum 3"}, ""),
        (ViewWords(chest=("ribs",)), {"BodyPartExamined": "RIBS"}, ""),
        (ViewWords(other=("Zimmer 7",)), {"BodyPartExamined": "ZIMMER 7"}, "not a chest: other body part"),
        (ViewWords(other=("xtable",)), {"ViewPosition": "XTABLE"}, "not a frontal view: other view position"),
        (ViewWords(other=("Babygram",)), {"BodyPartExamined": "BABYGRAM"}, "not a chest: other body part"),
    ],
)
def test_a_user_adds_words(words, header, other):
    assert examine_image(make(**header), "a.dcm", LIMITS._replace(words=words)).other == other


def test_a_dicom_file_is_known_by_its_content():
    assert is_dicom(make())
    assert not is_dicom(b"DICM" + bytes(400))
    assert not any(
        is_dicom(start + bytes(400)) for start in (b"\x08\x00abcdef", b"\x02\x00", b"\x08\x00\x18\x00\xff\xff")
    )


WHOLE = make()
BODY = WHOLE[132 + 12 + struct.unpack("<I", WHOLE[140:144])[0] :]  # what follows the meta information


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(WHOLE[128:], id="prefix alone"),
        pytest.param(WHOLE[132:], id="meta information alone"),
        pytest.param(bytes(128) + WHOLE[132:], id="preamble without prefix"),
        pytest.param(BODY, id="data set alone, explicit"),
        pytest.param(make(implicit=True)[-len(make(implicit=True)) :], id="implicit"),
        pytest.param(make(big_endian=True), id="big endian"),
    ],
)
def test_a_file_without_its_beginning_gives_the_same_pixels(data):
    assert is_dicom(data)
    assert np.array_equal(np.asarray(open_dicom(data).grey()), grey())
    assert examine_image(data, "a", LIMITS).refusal == ""


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_data_set_alone_is_read_in_every_encoding(big_endian):
    data = make(big_endian=big_endian, implicit=not big_endian)
    body = data[132 + 12 + struct.unpack("<I", data[140:144])[0] :]

    assert is_dicom(body)
    assert np.array_equal(np.asarray(open_dicom(body).grey()), grey())


def jpeg(image, **options):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=95, **options)
    return encapsulate([content.getvalue()])


RAMP = Image.fromarray(np.tile(np.arange(0, 240, 5, dtype=np.uint8), (40, 1)))
COMPRESSED = {"TransferSyntaxUID": BASELINE, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        ({}, ""),
        ({"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}, "8-bit image under a 12-bit header"),
        (
            {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096},
            "8-bit image under a 12-bit header; window for more bits than the image has: not used",
        ),
        ({"PixelData": jpeg(RAMP.convert("RGB"))}, "three colours in the pixel data: luminance is used"),
        ({"TransferSyntaxUID": None}, ""),
    ],
    ids=["plain", "12-bit header", "12-bit window", "three components", "no transfer syntax"],
)
def test_a_compressed_image_is_read_as_its_codestream_is(tags, note):
    data = make(**{**COMPRESSED, "PixelData": jpeg(RAMP), **tags})

    facts = examine_image(data, "a.dcm", LIMITS)

    assert (facts.refusal, facts.note) == ("", note)
    assert np.abs(np.asarray(open_dicom(data).grey()).astype(int) - np.asarray(RAMP)).max() <= 2


def test_three_components_that_are_bright_where_they_are_low_are_inverted():
    data = make(**COMPRESSED, PixelData=jpeg(RAMP.convert("RGB")), PhotometricInterpretation="MONOCHROME1")

    assert np.abs(255 - np.asarray(open_dicom(data).grey()).astype(int) - np.asarray(RAMP)).max() <= 2


def test_lungs_are_darker_than_the_mediastinum_in_a_real_chest():
    pixels = decode_image(test_file("RG1_UNCR.dcm"), 256, "pad")

    left, right, mediastinum = pixels[80:120, 55:85], pixels[80:120, 170:200], pixels[110:150, 120:145]
    assert left.mean() < mediastinum.mean() - 20
    assert right.mean() < mediastinum.mean() - 20


def test_compressed_and_uncompressed_files_give_the_same_pixels():
    plain, compressed = (np.asarray(open_dicom(test_file(f"RG1_{kind}.dcm")).grey()) for kind in ("UNCR", "J2KR"))

    assert plain.shape == (1955, 1841)
    assert np.array_equal(plain, compressed)


SHOWN = {
    "range": {}, "window": {"WindowCenter": 2000, "WindowWidth": 3000, "PhotometricInterpretation": "MONOCHROME1"},
    "tables": {"ModalityLUTSequence": (4096, 0, 10, "n // 4"), "VOILUTSequence": (1024, 0, 8, "n // 4")},
    "signed": {"PixelRepresentation": 1, "RescaleSlope": "2", "RescaleIntercept": "-1024"},
    "left-aligned": {"HighBit": 15, "PixelData": (np.arange(40 * 48, dtype=np.uint16) * 2 << 4).tobytes()},
    "padding": {"PixelPaddingValue": 8},
}  # fmt: skip


@pytest.mark.parametrize("kind", SHOWN)
def test_an_image_is_computed_in_blocks_as_it_would_be_whole(monkeypatch, kind):
    whole = grey(**SHOWN[kind])

    monkeypatch.setattr(dicom_pixels, "_BLOCK", 3 * 48)
    assert np.array_equal(grey(**SHOWN[kind]), whole)


def test_showing_an_image_takes_little_more_memory_than_the_image():
    raw = np.arange(4_000_000, dtype=np.uint16).reshape(2000, 2000)

    tracemalloc.start()
    stored = dicom_pixels.stored_values(raw, 12, 11, is_signed=False)
    dicom_pixels.show(stored, dicom_pixels.Display(12, window=dicom_pixels.Window("LINEAR", 2000, 4000)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 * raw.size


def test_the_values_of_a_file_that_is_too_large_are_not_read():
    assert read_values(make(), LIMITS) == Values("DICOM 12 bits 4d48de79", 12, 0, 3838)
    assert read_values(make(), Limits(1, 40 * 48 - 1)) == Values()


def test_a_window_is_the_formula_of_the_standard():
    # PS3.3 C.11.2.1.2.1 with centre 15,000 and width 30,000, then inverted: 255 - 255 ((x - 14,999.5) / 29,999 + 0.5).
    stored = pydicom.dcmread(io.BytesIO(test_file("RG1_UNCR.dcm"))).pixel_array
    expected = 255 - np.rint(255 * np.clip((stored - 14_999.5) / 29_999 + 0.5, 0, 1))

    assert np.array_equal(np.asarray(open_dicom(test_file("RG1_UNCR.dcm")).grey()), expected)


@pytest.mark.parametrize(("name", "most"), [("vlut_04.dcm", 65_535), ("mlut_18.dcm", 65_535), ("JPEG-LL.dcm", 1023)])
def test_lookup_tables_and_codecs_give_the_values_that_pydicom_gives(name, most):
    dataset = pydicom.dcmread(io.BytesIO(test_file(name)))
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)

    assert values.max() > most / 4
    assert np.array_equal(np.asarray(open_dicom(test_file(name)).grey()), np.rint(values * (255 / most)))


@pytest.mark.parametrize("tags", [{}, {"BitsStored": 16, "HighBit": 15}, {"PhotometricInterpretation": "MONOCHROME1"}])
def test_deflated_files_give_the_same_pixels(tags):
    data = make(**tags, TransferSyntaxUID=DEFLATED)

    assert len(data) < len(make(**tags))
    for whole in (data, data[132:]):
        assert np.array_equal(np.asarray(open_dicom(whole).grey()), grey(**tags))


def test_a_deflated_file_that_is_damaged_or_larger_than_any_radiograph_is_refused():
    data = make(TransferSyntaxUID=DEFLATED)
    end = 144 + struct.unpack("<I", data[140:144])[0]
    bomb = zlib.compressobj(9, wbits=-15)
    much = (bomb.compress(bytes(10**7)) + bomb.flush(zlib.Z_FULL_FLUSH)) * 21 + bomb.flush()

    for changed, reason in (
        (data[:-300], "truncated: its pixel data end before the image does"),
        (data[:end] + b"\xff" * 50, "damaged: its header cannot be read (error)"),
        (data[:end] + much, "deflated, and more than 200,000,000 bytes"),
        (data[:132] + data[144:], "deflated, without the length of its meta information: export it uncompressed"),
    ):
        assert examine_image(changed, "a.dcm", LIMITS).problem == reason


def test_a_lossy_jpeg_of_12_bits_is_decoded(tmp_path):
    frame = pydicom.dcmread(io.BytesIO(test_file("JPEG-lossy.dcm"))).PixelData
    lossy = {"TransferSyntaxUID": EXTENDED, "Rows": 1024, "Columns": 256, "PixelData": frame}

    # By a decoder of our own, in floating point: 0.6% of the pixels differ from this one's, by 1.
    pixels = open_dicom(make(**lossy, WindowCenter=128, WindowWidth=256)).grey()
    assert [pixels.getpixel(place) for place in ((140, 420), (120, 230), (100, 300))] == [244, 95, 36]
    odd = transcoded(make(), "JPEGExtendedProcess2_4", tmp_path)
    assert examine_image(odd, "a", LIMITS).problem == "damaged: its pixel data claim bits that a lossy JPEG cannot have"


def test_a_jpeg_without_loss_is_named_and_not_looked_at_for_damage(tmp_path):
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": RAMP.tobytes()}
    frame = first_frame(
        pydicom.dcmread(io.BytesIO(transcoded(make(**eight), "JPEGLosslessProcess14_1", tmp_path))).PixelData
    )

    facts = examine_image(frame.rstrip(b"\0"), "a.jpeg", LIMITS)
    assert facts.problem == "not read: lossless JPEG format. Store it as PNG of 8 or 16 bits"


def test_a_damaged_image_that_ends_the_decoder_costs_itself_alone(tmp_path):
    data = transcoded(make(), "JPEGLosslessProcess14_1", tmp_path)
    table = data.index(b"\xff\xc4", data.index(b"\xff\xd8\xff\xc3"))
    damaged = data[:table] + b"\x31" + data[table + 1 :]

    for _ in range(2):
        assert examine_image(damaged, "a.dcm", LIMITS).problem == "damaged: its pixel data end the decoder"
        assert np.array_equal(np.asarray(open_dicom(data).grey()), grey())


def test_a_decoder_that_is_killed_from_outside_is_started_again(tmp_path):
    data = transcoded(make(), "JPEG2000Lossless", tmp_path)

    for _ in range(2):
        assert np.array_equal(np.asarray(open_dicom(data).grey()), grey())
        for helper in dicom_apart._idle():
            helper._process.kill()


def test_compressed_pixel_data_without_their_delimiter_are_read_and_cut_ones_are_not(tmp_path):
    for syntax in ("JPEGLosslessProcess14_1", "RLELossless"):
        data = transcoded(make(), syntax, tmp_path)

        assert np.array_equal(np.asarray(open_dicom(data[:-8]).grey()), grey())
        assert examine_image(data[:-20], "a.dcm", LIMITS).problem == (
            "truncated: its pixel data end before the image does"
        )


IMPLICIT, EXPLICIT, RLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
PACKED = {"JPEG2000Lossless": "1.2.840.10008.1.2.4.90", "JPEGLosslessProcess14_1": LOSSLESS, "RLELossless": RLE}
MISNAMED = [(kind, wrong) for kind in PACKED for wrong in (IMPLICIT, EXPLICIT)]


@pytest.mark.parametrize(("kind", "wrong"), [*MISNAMED, ("JPEG2000Lossless", BASELINE), ("JPEG2000Lossless", LOSSLESS)])
def test_a_codestream_under_the_name_of_another_is_read_as_what_it_is(tmp_path, kind, wrong):
    named = PACKED[kind].encode()
    data = transcoded(make(), kind, tmp_path).replace(named, wrong.encode().ljust(len(named), b"\0"))

    assert examine_image(data, "a.dcm", LIMITS).note == "pixel data of another transfer syntax than the header says"
    assert np.array_equal(np.asarray(open_dicom(data).grey()), grey())


def test_signed_values_under_an_unsigned_header_are_refused(tmp_path):
    values = (np.arange(40 * 48) - 900).astype("<i2").tobytes()
    data = transcoded(make(PixelRepresentation=1, PixelData=values), "JPEG2000Lossless", tmp_path)
    element = b"\x28\x00\x03\x01US\x02\x00"

    assert examine_image(data, "a.dcm", LIMITS).refusal == ""
    changed = data.replace(element + b"\x01", element + b"\x00")
    assert examine_image(changed, "a.dcm", LIMITS).problem == (
        "signed values in the pixel data, unsigned ones in the header: export it uncompressed"
    )


REFUSED = {
    "no pixel data": {"PixelData": None},
    "more than 16 bits per pixel": {"BitsStored": 32, "BitsAllocated": 32},
    "unknown transfer syntax: export it uncompressed": {"TransferSyntaxUID": "1.2.3.4"},
    "no decoder for High-Throughput JPEG 2000 Image Compression (Lossless Only) is installed: export it uncompressed": {
        **COMPRESSED, "TransferSyntaxUID": "1.2.840.10008.1.2.4.201", "PixelData": jpeg(RAMP)
    },
    "too small: 48 x 20 pixels (ingest.min_side is 32)": {"Rows": 20},
    "truncated: its pixel data end before the image does": {"Rows": 4000, "Columns": 4000},
    "damaged: its pixel data have another size than its header says": {
        **COMPRESSED, "Rows": 41, "PixelData": jpeg(RAMP)
    },
    "colour in the pixel data, of which the header knows nothing": {
        **COMPRESSED, "PixelData": jpeg(RAMP.convert("CMYK"))
    },
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_an_unsuitable_file_is_refused_in_one_sentence(reason):
    assert examine_image(make(**REFUSED[reason]), "a.dcm", LIMITS).problem == reason


def test_an_image_of_one_grey_level_gets_a_note():
    assert examine_image(make(PixelData=bytes(2 * 40 * 48)), "a.dcm", LIMITS).note == "blank: one grey level"
    assert examine_image(make(), "a.dcm", LIMITS).note == ""


def test_a_damaged_header_is_refused_without_quoting_it():
    data = make().replace(b"MRN-00815", b"MRN-\xff\xfe815")
    cut = make()[:-700]

    assert examine_image(cut, "a.dcm", LIMITS).problem == "truncated: its pixel data end before the image does"
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
    path, others, lstat = tmp_path / "key", [], Path.lstat

    def there_after_a_moment(self):
        try:
            return lstat(self)
        except FileNotFoundError:
            if self == path and not others:
                others.append(PatientKey(path))
                others[0].make()
            raise

    monkeypatch.setattr(Path, "lstat", there_after_a_moment)

    group = PatientKey(path).group_of("MRN-00815")

    assert group == others[0].group_of("MRN-00815") == PatientKey(path).group_of("MRN-00815")


def test_the_key_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMONIA_PATIENT_KEY", "shared between two machines")

    assert PatientKey(tmp_path / "a").group_of("1") == PatientKey(tmp_path / "b").group_of("1")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_an_error_with_the_reason_as_its_message():
    with pytest.raises(RefusedError, match="several frames"):
        open_dicom(make(NumberOfFrames=2)).judge(ViewWords())


@pytest.mark.parametrize(("age", "years"), [("62", "62"), ("062Y", "62"), ("6M", "0.5"), ("006M", "0.5"), ("200Y", "")])
@pytest.mark.parametrize(("sex", "letter"), [("W", "F"), ("weiblich", "F"), ("male", "M"), ("M", "M"), ("U", "")])
def test_ages_and_sexes_are_read_as_devices_write_them(age, years, sex, letter):
    facts = examine_image(make(PatientAge=age, PatientSex=sex), "a.dcm", LIMITS)

    assert (facts.age, facts.sex) == (years, letter)
    assert facts.note == ("age cannot be read" if age == "200Y" else "")
