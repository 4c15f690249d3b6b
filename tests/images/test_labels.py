import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.index import examine_files, make_index
from pneumonia.images.labels import with_labels
from pneumonia.images.patient_key import PatientKey
from pneumonia.images.source import ImageSource


@pytest.fixture
def label(tmp_path, default_parameters):
    """Write files and a table, and label the files by it."""

    def run(content, *paths, name="labels.csv", **changes):
        for path in paths:
            (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / path).write_bytes(b"bytes of " + path.encode())
        (tmp_path / "set" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        ingest = IngestParameters.model_validate(default_parameters["ingest"])
        labels = LabelsParameters.model_validate({**default_parameters["labels"], **changes})
        return with_labels(ImageSource(str(tmp_path / "set")), ingest, labels, PatientKey(tmp_path / "key"))

    return run


def labels_of(source):
    return {file.path: file.label or file.left_out for file in source.listing.files}


NIH = """Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position
00000001_000.png,Pneumonia|Effusion,0,1,058Y,M,PA
00000001_001.png,No Finding,1,1,58,M,AP
00000002_000.png,Effusion,0,2,81,F,PA
"""
CHEXPERT = """Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Pneumonia
CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,,1.0
CheXpert-v1.0-small/train/patient00001/study1/view2_lateral.jpg,Female,68,Lateral,,,1.0
CheXpert-v1.0-small/train/patient00002/study1/view1_frontal.jpg,Male,70,Frontal,PA,1.0,
CheXpert-v1.0-small/train/patient00003/study1/view1_frontal.jpg,Male,71,Frontal,PA,,-1.0
CheXpert-v1.0-small/train/patient00004/study1/view1_frontal.jpg,Male,72,Frontal,PA,,
"""
CHEXPERT_FILES = [
    "train/patient00001/study1/view1_frontal.jpg", "train/patient00001/study1/view2_lateral.jpg",
    "train/patient00002/study1/view1_frontal.jpg", "train/patient00003/study1/view1_frontal.jpg",
    "train/patient00004/study1/view1_frontal.jpg",
]  # fmt: skip
RSNA = """patientId,x,y,width,height,Target
0004cfab,,,,,0
00436515,264.0,152.0,213.0,379.0,1
00436515,562.0,152.0,256.0,453.0,1
"""


def test_a_table_beside_a_flat_folder_gives_the_labels(label):
    source = label("path,label\na.png,PNEUMONIA\nb.png,0\n", "a.png", "b.png")

    assert labels_of(source) == {"a.png": "PNEUMONIA", "b.png": "NORMAL"}
    assert source.read("a.png") == b"bytes of a.png"
    assert source.listing.label_problems == ()


def test_a_table_goes_before_class_folders_and_its_split_before_theirs(label):
    table = "path,label,split\ntrain/NORMAL/a.png,PNEUMONIA,test\ntrain/NORMAL/b.png,NORMAL,\n"
    files = label(table, "train/NORMAL/a.png", "train/NORMAL/b.png").listing.files

    assert [(file.label, file.source_split) for file in files] == [("PNEUMONIA", "test"), ("NORMAL", "train")]


def test_without_a_table_or_where_it_is_switched_off_the_source_stays(label):
    assert label("x\n", "NORMAL/a.png", name="other.csv").listing.rows == {}
    assert label("path,label\nNORMAL/a.png,1\n", "NORMAL/a.png", table="none").listing.rows == {}


def test_what_does_not_fit_is_counted_and_listed_and_not_rejected(label):
    table = "path,label\na.png,1\na.png,1\nb.png,1\nb.png,0\nc.png,COVID\ngone.png,1\n"

    source = label(table, "a.png", "b.png", "c.png", "d.png")

    assert source.listing.label_problems == (
        ("file without a row", "d.png", "no row in the table of labels"),
        ("repeated row", "a.png", "same label"),
        ("repeated row", "b.png", "under two labels"),
        ("row without a file", "gone.png", "no file of that name"),
        ("unused label", "b.png", "two labels in the table"),
        ("unused label", "c.png", "unknown label COVID"),
    )
    assert {file.path for file in source.listing.files if file.problem} == set()


def test_nih_findings_patients_and_views_are_read(label):
    names = [line.split(",")[0] for line in NIH.splitlines()[1:]]
    source = label(NIH, *(f"images/{name}" for name in names), preset="nih", name="labels.csv")

    assert labels_of(source) == {
        "images/00000001_000.png": "PNEUMONIA",
        "images/00000001_001.png": "NORMAL",
        "images/00000002_000.png": "neither a positive nor a negative finding",
    }
    row = source.listing.rows["images/00000001_000.png"]
    assert (row.group, row.age, row.sex, row.view) == ("1", "58", "M", "PA")


@pytest.mark.parametrize(
    ("uncertain", "blank", "third", "fourth"),
    [
        ("positive", "leave_out", "PNEUMONIA", "blank finding"),
        ("leave_out", "negative", "uncertain finding", "NORMAL"),
        ("leave_out", "positive", "uncertain finding", "PNEUMONIA"),
        ("negative", "leave_out", "NORMAL", "blank finding"),
    ],
)
def test_chexpert_is_read_by_the_policies_that_were_set(label, uncertain, blank, third, fourth):
    source = label(CHEXPERT, *CHEXPERT_FILES, preset="chexpert", uncertain=uncertain, blank=blank)

    assert list(labels_of(source).values()) == ["PNEUMONIA", "lateral view", "NORMAL", third, fourth]
    row = source.listing.rows[CHEXPERT_FILES[2]]
    assert (row.group, row.age, row.sex, row.view) == ("patient00002", "70", "M", "PA")


@pytest.mark.parametrize("blank", ["refuse", "positive", "negative", "leave_out"])
@pytest.mark.parametrize(
    ("pneumonia", "consolidation", "expected"),
    [("0", "0.0", "NORMAL"), ("0.0", "-1.0", "NORMAL"), ("0", "1.0", "PNEUMONIA")],
)
def test_chexpert_without_a_blank_is_read_whatever_a_blank_would_mean(label, blank, pneumonia, consolidation, expected):
    table = (
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Pneumonia,Consolidation\n"
        f"a.jpg,Male,70,Frontal,PA,,{pneumonia},{consolidation}\n"
    )
    changes = {"positive_findings": ["Pneumonia", "Consolidation"], "uncertain": "negative", "blank": blank}

    assert labels_of(label(table, "a.jpg", preset="chexpert", **changes)) == {"a.jpg": expected}


@pytest.mark.parametrize(("policy", "asked"), [("uncertain", "blank"), ("blank", "uncertain")])
def test_chexpert_without_a_policy_is_refused(label, policy, asked):
    with pytest.raises(UserError, match=rf"has {asked} findings, the first for .*labels.{asked} = positive"):
        label(CHEXPERT, *CHEXPERT_FILES, preset="chexpert", **{policy: "leave_out"})


def test_rsna_has_several_rows_an_image(label):
    source = label(RSNA, "0004cfab.dcm", "00436515.dcm", preset="rsna")

    assert labels_of(source) == {"0004cfab.dcm": "NORMAL", "00436515.dcm": "PNEUMONIA"}
    assert source.listing.label_problems == ()


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        ("file,class\na.png,1\n", {}, "lacks the columns path, label of the preset plain; it has file, class"),
        ("", {}, "lacks the columns path, label"),
        (b"path,label\n\xff\xfe,1\n", {}, "not a CSV table in UTF-8"),
        ("path,label\nz.png,1\n", {}, "None of the 1 rows .* names a file"),
        (NIH, {"preset": "chexpert"}, "lacks the columns Path"),
        ("path,label\na.png,1\n", {"table": "no/such.csv"}, r"no/such.csv is neither .*No such file"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(label, table, changes, message):
    with pytest.raises(UserError, match=message):
        label(table, "a.png", **changes)


def test_a_table_of_another_place_is_read(label, tmp_path):
    (tmp_path / "elsewhere.csv").write_text("path,label\na.png,1\n")

    source = label("x\n", "a.png", name="other.csv", table=str(tmp_path / "elsewhere.csv"))

    assert labels_of(source) == {"a.png": "PNEUMONIA"}


def test_groups_and_facts_of_patients_reach_the_index(label, tmp_path, default_parameters):
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    source = label("path,label,group,age,sex,view\na.png,1,child 7,4,female,ap\nb.png,7,,,,\n", "a.png", "b.png")

    index = make_index(source, examine_files(source, IndexCache(tmp_path / "cache"), ingest), ingest)

    columns = ["path", "status", "group", "age", "sex", "view"]
    assert index[columns].to_numpy().tolist() == [
        ["a.png", "rejected", "child 7", "4", "F", "AP"],
        ["b.png", "left out", "b.png", "", "", ""],
    ]


@pytest.mark.parametrize("path", ["Groups.csv", "train/groups.csv", "NORMAL/groups.csv"])
def test_a_groups_file_that_would_be_passed_over_is_refused(tmp_path, default_parameters, path):
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    for name in ("train/NORMAL/a.png", "train/PNEUMONIA/b.png", path):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"path,group\n")

    with pytest.raises(UserError, match=r"would not be used: groups.csv must have exactly this name"):
        make_index(ImageSource(str(tmp_path)), {}, ingest)


def test_a_groups_file_that_is_a_lost_link_is_refused(tmp_path, default_parameters):
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    for name in ("train/NORMAL/a.png", "train/PNEUMONIA/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "groups.csv").symlink_to("nowhere")

    with pytest.raises(UserError, match=r"groups.csv would not be used"):
        make_index(ImageSource(str(tmp_path)), {}, ingest)
