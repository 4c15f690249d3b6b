import io

import pydicom
import pytest
from tests.pipelines.ingest.hospital import RADIOGRAPH, ROOT, write

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.grouping import PatientKey
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource

ILL, WELL = "PNEUMONIA", "NORMAL"


def image(accession, patient, study=1, **values):
    header = {"AccessionNumber": accession, "PatientID": patient, "StudyInstanceUID": f"{ROOT}{study}"}
    return write({**header, "SeriesInstanceUID": f"{ROOT}{study}.1"}, {"SOPClassUID": RADIOGRAPH, **values})


# A flat folder, some files without suffix; two images of one study, one file that is no DICOM, and one without a key.
FILES = {
    "IM1": image("0012", "007", Rows=1),
    "IM2": image("0012", "007", Rows=2),
    "1.2.840.99.3": image("A-13", "008", study=2),
    "d.dcm": image("", "", study=3),
    "e.dcm": b"no DICOM",
    "f.dcm": image("0012", "007")[:200],
}


@pytest.fixture
def labelled(tmp_path, default_parameters):
    """Label the files by a table beside them."""

    def label(table, files=FILES, **changes):
        for name, data in {**files, "table.csv": table.encode()}.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(data)
        given = default_parameters["labels"]
        changes["columns"] = {**given["columns"], **changes.get("columns", {})}
        ingest = IngestParameters.model_validate(default_parameters["ingest"])
        labels = LabelsParameters.model_validate({**given, **changes})
        return with_labels(ImageSource(str(tmp_path / "set")), ingest, labels, PatientKey(tmp_path / "key")).listing

    return label


TABLES = {
    "accession": ("Accession Number,label\n0012,1\nA-13,0\n", {}),
    "accession, without its zeros": ("AccessionNumber;Befund\n12;Pneumonie\na-13;normal\n", {}),
    "accession, as a spreadsheet's number": ("acc_no,label\n12.0,1\nA-13,0\n", {}),
    "accession, in German": ("Auftragsnummer;Befund\n0012;positiv\nA-13;negativ\n", {}),
    "accession under another header": ("x,label\n0012,1\nA-13,0\n", {"key": "accession", "columns": {"path": "x"}}),
    "accession that is named": ("accession,label\n0012,1\nA-13,0\n", {"key": "accession"}),
    "patient": ("PatientID,label\n007,1\n008,0\n", {}),
    "patient in German": ("Patienten-Nr.;Befund\n7;1\n8;0\n", {}),
    **{
        f"patient, called {head}": (f"{head},label\n007,1\n008,0\n", {})
        for head in ("NIP", "IPP", "NHC", "prontuário", "Nº de prontuário", "MRN", "UHID", "hospital number", "Fallnr")
    },
    "patient, as the name of a file": ("PatientID,label\n007.dcm,1\n008.dcm,0\n", {}),
    "accession, as the name of a file": ("AccessionNumber,label\n0012.dcm,1\nA-13.dcm,0\n", {}),
    "study_uid with a word behind it": (f"StudyInstanceUID,label\n{ROOT}1_study,1\n{ROOT}2_study,0\n", {}),
    "study_uid": (f"StudyInstanceUID,label\n{ROOT}1,1\n{ROOT}2,0\n", {}),
    "series_uid": (f"series,label\n{ROOT}1.1,1\n{ROOT}2.1,0\n", {"key": "series_uid", "columns": {"path": "series"}}),
    "a path that fits nothing, and an accession": ("file,accession,label\nx.png,0012,1\ny.png,A-13,0\n", {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_may_name_files_by_their_dicom_headers(labelled, kind):
    table, changes = TABLES[kind]
    listing = labelled(table, **changes)

    assert {file.path: file.label for file in listing.files} == {
        "IM1": ILL, "IM2": ILL, "1.2.840.99.3": WELL, "d.dcm": "", "e.dcm": "", "f.dcm": "",
    }  # fmt: skip


def test_a_table_may_name_files_by_the_uid_of_their_object(labelled):
    uids = [pydicom.dcmread(io.BytesIO(FILES[name])).SOPInstanceUID for name in ("IM1", "1.2.840.99.3")]
    listing = labelled(f"SOPInstanceUID\tlabel\n{uids[0]}\tyes\n{uids[1]}\tno\n")

    assert [file.label for file in listing.files if file.label] == [WELL, ILL]


def test_keys_are_known_by_the_headers_of_the_files_whatever_their_column_is_called(labelled):
    files = {"IM1": image("AB-0012", "1"), "IM2": image("AB-0013", "2")}

    table = "nr,Vorgang,Befund\n2,AB-0012,Pneumonie\n1,AB-0013,normal\n3,AB-0014,normal\n"

    assert [file.label for file in labelled(table, files=files).files] == [ILL, WELL]


@pytest.mark.parametrize("representation", [b"ZZ", b"S\0"])
def test_a_key_in_a_damaged_element_costs_itself_alone(labelled, representation):
    whole = image("0012", "008")
    element = b"\x08\x00\x50\x00"
    damaged = whole.replace(element + b"SH", element + representation)
    assert damaged != whole

    listing = labelled("patient,label\n007,1\n008,0\n", files={"IM1": image("0011", "007"), "IM2": damaged})
    assert [file.label for file in listing.files] == [ILL, WELL]


NAMED = {
    "before a view": ("accession,label\n700000,1\n700001,0\n", ["700000_PA.png", "700001_PA.png"], [ILL, WELL]),
    "behind a kind": ("Acc No;Befund\n700000;1\n700001;0\n", ["CXR_700000.png", "CXR 700001.png"], [WELL, ILL]),
    "without its zeros": ("accession,label\n12345,1\n12346,0\n", ["x-0012345.png", "x-0012346.png"], [ILL, WELL]),
    "of several parts": ("accession,label\nAB-0012,1\nAB-0013,0\n", ["ab_0012_1.png", "ab_0013_1.png"], [ILL, WELL]),
    "of a patient": ("MRN,label\n4711123,1\n4711124,0\n", ["4711123_ap.png", "4711124_ap.png"], [ILL, WELL]),
    "in a column of paths": ("image_id,label\n700000,1\n700001,0\n", ["700000_PA.png", "700001_PA.png"], [ILL, WELL]),
    "that is a UID": (
        "StudyInstanceUID,label\n1.2.840.1,1\n1.2.840.2,0\n", ["CR.1.2.840.1.png", "CR.1.2.840.2.png"], [ILL, WELL]
    ),
    "of two files": (
        "accession,label\n700000,1\n700001,0\n700002,1\n",
        ["700000_AP.png", "700000_PA.png", "700001_PA.png", "700002_PA.png"], ["", "", WELL, ILL],
    ),
    "of few of the rows": (
        "accession,label\n" + "".join(f"7000{n:02},{n % 2}\n" for n in range(20)),
        ["x_700004.png", "x_700005.png"], [WELL, ILL],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_a_key_that_is_a_part_of_one_name_means_that_file(labelled, kind, caplog):
    table, names, expected = NAMED[kind]

    listing = labelled(table, files=dict.fromkeys(names, b"no DICOM"))

    assert [file.label for file in listing.files] == expected
    matched = [path for kind, path, _ in listing.label_problems if kind == "matched by a part of its name"]
    assert matched == sorted(name for name, label in zip(sorted(names), expected, strict=True) if label)
    assert f"Table of labels: matched by a part of its name: {len(matched)}" in caplog.text
    assert "70000" not in f"{[note for kind, _, note in listing.label_problems if 'image' not in table]}"


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (("70000", "70001"), ["700000_PA.png", "700010_PA.png"]),
        (("0012", "0013"), ["a_0012.png", "a_0013.png"]),
        (("1.2.840.1", "1.2.840.2"), ["CR.1.2.840.1.7.png", "CR.1.2.840.2.5.png"]),
        (("700000", "700001"), ["700000.a.png", *(f"{n}.png" for n in range(5)), "700000_b.png"]),
    ],
    ids=["within a number", "of few letters", "that begins a UID", "of two files"],
)
def test_a_key_that_may_be_a_part_of_names_by_chance_means_no_file(labelled, keys, names):
    with pytest.raises(UserError, match="None of the 2 rows of the table of labels names a file"):
        labelled(f"path,label\n{keys[0]},1\n{keys[1]},0\n", files=dict.fromkeys(names, b"no DICOM"))


def test_a_key_that_is_said_is_looked_for_in_the_column_of_paths(labelled):
    files = {"IM1": image("AB-0012", "1"), "IM2": image("AB-0013", "2")}

    listing = labelled("image,label\nAB-0012,1\nAB-0013_study,0\n", files=files, key="accession")

    assert [file.label for file in listing.files] == [ILL, WELL]


def test_neither_keys_nor_patients_are_in_the_problems_of_a_table(labelled):
    listing = labelled("accession,patient,label\n0012,007,1\nA-13,008,0\nB-77,4711,1\nA-13,008,\n")

    assert ("row without a file", "line 4 of the table", "no file of that name") in listing.label_problems
    assert ("repeated row", "1.2.840.99.3", "under two labels") in listing.label_problems
    assert not [text for text in ("0012", "A-13", "B-77", "4711", "'008'") if text in f"{listing}"]


def test_where_no_header_has_the_key_nothing_of_it_is_quoted(labelled):
    with pytest.raises(
        UserError, match=r"None of the 1 rows .* by its AccessionNumber, which 3 of 6 files have"
    ) as error:
        labelled("accession,label\nB-77,1\n", key="accession")
    assert "B-77" not in error.value.message


def test_a_header_that_is_longer_than_usual_is_read_to_its_end(labelled):
    long = {"IM1": image("0012", "1"), "IM2": image("0013", "2", ImageComments="x" * 10, PatientComments="y" * 10_000)}
    element = b"\x09\x00\x10\x00UN\0\0" + (100_000).to_bytes(4, "little") + bytes(100_000)
    place = long["IM2"].index(b"\x10\x00\x20\x00")
    long["IM2"] = long["IM2"][:place] + element + long["IM2"][place:]

    assert [file.label for file in labelled("patient_id,label\n1,0\n2,1\n", files=long).files] == [WELL, ILL]
