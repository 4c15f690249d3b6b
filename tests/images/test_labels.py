import os

import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.examine import Facts
from pneumonia.images.grouping import PatientKey
from pneumonia.images.index import examine_files, make_index
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource


@pytest.fixture
def label(tmp_path, default_parameters):
    """Write files and a table, and label the files by it."""

    def run(content, *paths, name="labels.csv", **changes):
        for path in paths:
            (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / path).write_bytes(b"bytes of " + path.encode())
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        ingest = IngestParameters.model_validate(default_parameters["ingest"])
        given = default_parameters["labels"]
        for group in ("columns", "words"):
            changes = changes | {group: {**given[group], **changes.get(group, {})}}
        labels = LabelsParameters.model_validate({**given, **changes})
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
    table = "path,label\na.png,1\na.png,1\nb.png,1\nb.png,0\nc.png,COVID\ngone.png,1\ne.png,0\n"

    source = label(table, "a.png", "b.png", "c.png", "d.png", "e.png")

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


@pytest.mark.parametrize(
    ("preset", "tables", "files", "changes", "expected"),
    [
        (
            "nih", {"Data_Entry_2017_v2020.csv": NIH, "BBox_List_2017.csv": "Image Index,Finding Label\n"},
            ["images/00000001_000.png", "images/00000001_001.png"], {}, ["PNEUMONIA", "NORMAL"],
        ),
        (
            "chexpert",
            {"train.csv": "\n".join(CHEXPERT.splitlines()[:4]), "valid.csv": CHEXPERT.splitlines()[0] + "\n"
             + "CheXpert-v1.0-small/valid/patient9/study1/view1_frontal.jpg,Male,70,Frontal,PA,1.0,\n"},
            [*CHEXPERT_FILES[:1], CHEXPERT_FILES[2], "valid/patient9/study1/view1_frontal.jpg"],
            {"uncertain": "leave_out", "blank": "leave_out"}, ["PNEUMONIA", "NORMAL", "NORMAL"],
        ),
        (
            "rsna", {"stage_2_train_labels.csv": RSNA},
            ["stage_2_train_images/0004cfab.dcm", "stage_2_train_images/00436515.dcm"], {}, ["NORMAL", "PNEUMONIA"],
        ),
    ],
)  # fmt: skip
def test_a_preset_alone_finds_its_publishers_tables(label, preset, tables, files, changes, expected):
    for name, content in tables.items():
        source = label(content, *files, name=name, preset=preset, **changes)

    assert [file.label for file in source.listing.files] == expected


def test_a_preset_without_its_table_names_it(label):
    with pytest.raises(UserError, match=r"no table of nih, such as Data_Entry_2017\.csv with the columns Image Index"):
        label("path,label\na.png,1\n", "a.png", name="other.csv", preset="nih")


@pytest.mark.parametrize("table", [RSNA, RSNA.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n")])
def test_rsna_has_several_rows_an_image(label, table):
    source = label(table, "0004cfab.dcm", "00436515.dcm", preset="rsna")

    assert labels_of(source) == {"0004cfab.dcm": "NORMAL", "00436515.dcm": "PNEUMONIA"}
    assert source.listing.label_problems == ()


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        (
            "kind,class\nq,1\n",
            {},
            r"no column that is known as path; it has kind, class. Say which: labels.columns.path",
        ),
        ("file,kind\na.png,sick\n", {}, r"known as label; it has file, kind. Say which: labels.columns.label=COLUMN"),
        ("", {}, "known as path or label; it has none"),
        (b"path,label\n\0\xff,1\n", {}, "labels.csv is not a CSV table in UTF-8, UTF-16 or another encoding"),
        (b"PK\x03\x04rest", {}, "labels.csv is a spreadsheet. Save it as CSV"),
        (b"PAR1rest", {}, "labels.csv is a Parquet file. Save it as CSV"),
        (b"\x1f\x8brest", {}, "labels.csv is a compressed file. Save it as CSV"),
        (" <html><td>a.png</td></html>", {}, "labels.csv is a page of HTML or XML. Save it as CSV"),
        ('path,label\na.png,1\n"b.png,0\nc.png,0\n', {}, "labels.csv, line 3: a quotation mark opens a cell"),
        ("path,age,label\na.png,3,5,1\n", {}, r"no file a usable label: more cells than columns.* \(1\)"),
        ("path,label\nz.png,1\n", {}, "None of the 1 rows .* names a file.*labels.columns.path.*labels.key"),
        ("who,label\nb.png,1\n", {"key": "accession"}, "no column that is known as accession"),
        (
            "path,label\na.png,sick\n",
            {},
            r"no file a usable label: unknown label sick \(1\)\. .*labels.words.positive=",
        ),
        (NIH, {"preset": "chexpert"}, "lacks the columns Path.*Set labels.preset=nih"),
        (NIH, {}, "looks like that of nih .*--params=labels.preset=nih"),
        (
            "path,label\na.png,1\n",
            {"table": "no/such.csv"},
            r"no/such.csv is neither .*No such file.*there: labels.csv",
        ),
        ("path,label\na.png,1\n", {"columns": {"label": "Befund"}}, "has no column 'Befund'; it has path, label"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(label, table, changes, message):
    with pytest.raises(UserError, match=message):
        label(table, "a.png", **changes)


@pytest.mark.parametrize(
    "table", [",".join(f"x{n}" for n in range(9999)) + "\n1\n", "path,label\n" + "x" * 99_999 + ",1\n"]
)
def test_a_message_stays_short_whatever_is_in_a_table(label, table):
    with pytest.raises(UserError) as refused:
        label(table, "a.png")

    assert len(refused.value.message) < 1000


def test_a_row_with_more_cells_than_columns_is_left_out(label):
    table = "path,age,label,note\na.png,3,5,1,NORMAL\nb.png,3,0,,,\nc.png,3,1\n"

    source = label(table, "a.png", "b.png", "c.png")

    assert labels_of(source) == {
        "a.png": "more cells than columns: a cell with a separator in it needs quotation marks",
        "b.png": "NORMAL",
        "c.png": "PNEUMONIA",
    }


def test_a_row_with_fewer_cells_than_columns_is_listed_where_most_have_all(label):
    table = "path,label,split,age\na.png,1,test,4\nb.png,0,test,5\nc.png,0\n"

    assert label(table, "a.png", "b.png", "c.png").listing.label_problems == (
        ("row with fewer cells than columns", "c.png", "line 4"),
    )
    assert label(table.replace("5", "5\nd.png,1\ne.png,1"), "d.png", "e.png").listing.label_problems == ()


def test_the_log_says_which_column_was_read_as_what(label, caplog):
    caplog.set_level("INFO")
    label("Bild,Normal,Pneumonia,Geschlecht,sx\na.png,0,1,w,x\nb.png,1,0,m,x\n", *TWO)

    said = next(line for line in caplog.messages if line.startswith("Table of labels: "))
    assert said == "Table of labels: path is Bild, sex is Geschlecht, label is Pneumonia; not read: sx."


TWO = ("a.png", "b.png")
READ = {
    "semicolons and decimal commas": ("path;label;age\na.png;1;34,5\nb.png;0;6 M\n", {}),
    "tabs": ("path\tlabel\na.png\t1\nb.png\t0\n", {}),
    "bars": ("path|label\na.png|1\nb.png|0\n", {}),
    "a byte order mark": ("\ufeffpath,label\na.png,1\nb.png,0\n", {}),
    "UTF-16": ("path,label\na.png,1\nb.png,0\n".encode("utf-16"), {}),
    "UTF-16 without a mark": ("path,label\na.png,1\nb.png,0\n".encode("utf-16-le"), {}),
    "UTF-16 in the other order, without a mark": ("path,label\na.png,1\nb.png,0\n".encode("utf-16-be"), {}),
    "Greek in Windows' letters": ("Εικόνα,αρχείο,label\nα,a.png,1\nβ,b.png,0\n".encode("cp1253"), {}),
    "the end of a file of DOS": ("path,label\na.png,1\nb.png,0\n\x1a", {}),
    "letters without a width": ("path,label\n\u200ba.png,1\nb.png,0\u200b\n", {}),
    "texts of a spreadsheet": ('path,label\n"=""a.png""",1\n"=""b.png""",0\n', {}),
    "Windows' own letters": ("Pfad,Befund,Gerät\na.png,1,x\nb.png,0,x\n".encode("latin-1"), {}),
    "Excel's first line": ("sep=;\npath;label\na.png;1\nb.png;0\n", {}),
    "a title above": ("Export of Monday\n\npath,label,more\na.png,1,\nb.png,0,\n", {}),
    "quotes": ('"path","label"\n"a.png","1"\n"b.png","0"\n', {}),
    "whole rows in quotes": ('"path,label"\n"a.png,1"\n"b.png,0"\n', {}),
    "remarks with other separators": ('path,label,note\na.png,1,"x, y; z"\nb.png,0,"x, y; z"\n', {}),
    "numbers of rows, as R writes them": ('"path" "label"\n"1" "a.png" "1"\n"2" "b.png" "0"\n', {}),
    "old Mac line ends": ("path,label\ra.png,1\rb.png,0\r", {}),
    "headers in any case, with blanks": (" PATH , Label \na.png, 1\nb.png, 0\n", {}),
    "headers with signs": ("File_Name,Ground-Truth\na.png,1\nb.png,0\n", {}),
    "German headers": ("Dateiname;Befund\na.png;Pneumonie\nb.png;unauffällig\n", {}),
    "French headers": ("fichier,diagnostic\na.png,positif\nb.png,négatif\n", {}),
    "Spanish headers": ("archivo,diagnóstico\na.png,neumonía\nb.png,normal\n", {}),
    "Chinese headers": ("文件名,诊断\na.png,肺炎\nb.png,正常\n", {}),
    "Chinese in GBK": ("文件名,诊断\na.png,肺炎\nb.png,正常\n".encode("gbk"), {}),
    "Chinese in GBK, named": ("甲,乙\na.png,1\nb.png,0\n".encode("gbk"), {"columns": {"path": "甲", "label": "乙"}}),
    "Korean headers": ("파일명,진단결과\na.png,폐렴\nb.png,정상\n", {}),
    "Korean yes and no": ("파일 이름,label\na.png,있음\nb.png,없음\n", {}),
    "Spanish findings": ("archivo,Hallazgo\na.png,neumonía\nb.png,sin hallazgos\n", {}),
    "a column that asks": ("image_path,is_pneumonia\na.png,1\nb.png,0\n", {}),
    "decimals": ("path,label\na.png,1.0\nb.png,0.0\n", {}),
    "TRUE and FALSE": ("path,label\na.png,TRUE\nb.png,FALSE\n", {}),
    "yes and no": ("path,label\na.png,yes\nb.png,No\n", {}),
    "class names in any case": ("path,label\na.png,Pneumonia\nb.png,normal\n", {}),
    "a column named after the class": ("path,Pneumonia,Cardiomegaly\na.png,1,0\nb.png,0,1\n", {}),
    "a column named after the other class": ("path,Normal\na.png,0\nb.png,1\n", {}),
    "the same, named": ("path,healthy\na.png,no\nb.png,yes\n", {"columns": {"label": "healthy"}}),
    "a column for each class": ("path,Normal,Pneumonia,COVID\na.png,0,1,0\nb.png,1,0,0\n", {}),
    "a column for each class, with blanks": ("path,No finding,Pneumonia\na.png,,1\nb.png,1,\n", {}),
    "plus and minus": ("path,label\na.png,+\nb.png,-\n", {}),
    "findings joined by bars": ("path,label\na.png,Infiltration|Pneumonia\nb.png,No Finding\n", {}),
    "findings joined by semicolons": ("path,label\na.png,Mass;Pneumonia\nb.png,No Finding\n", {}),
    "findings by their kinds": ("path,finding\na.png,Pneumonia/Viral/COVID-19\nb.png,No Finding\n", {}),
    "lists of findings": ("path,Labels\na.png,\"['pneumonia', 'nodule']\"\nb.png,['normal']\n", {}),
    "codes, and names under an unknown header": ("path,label,label_name\na.png,0,PNEUMONIA\nb.png,1,NORMAL\n", {}),
    "Polish in Windows' letters": ("plik;diagnoza\na.png;Zapalenie płuc\nb.png;Prawidłowy\n".encode("cp1250"), {}),
    "German short words": ("Datei;Befund\na.png;Pneumonie\nb.png;unauff.\n", {}),
    "a normal report": ("Datei;Befund\na.png;Pneumonie\nb.png;Normalbefund\n", {}),
    "Korean true and false": ("파일,폐렴\na.png,참\nb.png,거짓\n", {}),
    "texts marked by an apostrophe": ("path,label\n'a.png,'1\n'b.png','0'\n", {}),
    "codes and names": ("path,label,diagnosis\na.png,0,pneumonia\nb.png,1,normal\n", {}),
    "records in JSON": ('[{"path": "a.png", "label": 1}, {"path": "b.png", "label": 0}]', {}),
    "a record a line": ('{"file_name": "a.png", "label": true}\n{"file_name": "b.png", "label": false}\n', {}),
    "blanks between": ("1 a.png pneumonia\n2 b.png normal\n", {}),
    "no header": ("a.png,pneumonia\nb.png,normal\n", {}),
    "no header, named": ("a.png,1\nb.png,0\n", {"columns": {"path": "column 1", "label": "column 2"}}),
    "labels under an unknown header": ("path,status,age\na.png,pneumonia,1\nb.png,normal,0\n", {}),
    "paths under an unknown header": ("row,picture file,label\n1,a.png,1\n2,b.png,0\n", {}),
    "columns that are named": ("Nr,X Y,Z\n1,a.png,1\n2,b.png,0\n", {"columns": {"path": "x y", "label": "Z"}}),
    "words that differ in a sign, named": (
        "path,label\na.png,Pneu+\nb.png,Pneu-\n", {"words": {"positive": ["Pneu+"], "negative": ["Pneu-"]}},
    ),
    "words with a comma, named": (
        'path,label\na.png,"Pneumonia, Effusion"\nb.png,"none, clear"\n',
        {"words": {"positive": ["Pneumonia, Effusion"], "negative": ["none, clear"]}},
    ),
    "kinds of pneumonia": ("path,label\na.png,Bacterial Pneumonia\nb.png,Normal\n", {}),
    "a kind of pneumonia in brackets": ("path,label\na.png,pneumonia (viral)\nb.png,Normal\n", {}),
    "kinds of pneumonia, for short": ("path,label\na.png,bacteria\nb.png,normal\n", {}),
    "a column that says how it answers": ("path,Pneumonia (0/1)\na.png,1\nb.png,0\n", {}),
    "a column that says what 1 means": ("path,\"Pneumonia [1=yes, 0=no]\"\na.png,1\nb.png,0\n", {}),
    "a header with what its codes mean": ('path;"Befund (0=normal, 1=Pneumonie)"\na.png;1\nb.png;0\n', {}),
    "headers with remarks": ("File (relative),Label [radiologist 1],Sex (m/w)\na.png,1,m\nb.png,0,w\n", {}),
    "a header whose codes mean the other class": (
        'path,"Label (0=pneumonia, 1=normal)",Diagnose\na.png,0,Pneumonie\nb.png,1,normal\n', {},
    ),
    "a column that is a flag": ("path,pneumonia_flag\na.png,Y\nb.png,N\n", {}),
    "no header, and codes": ("a.png,1\nb.png,0\n", {}),
    "no header, and a split": ("TRAIN,a.png,1\nTRAIN,b.png,0\n", {}),
    "addresses with a query": ("image_url,label\nhttps://h.org/x/a.png?alt=media,1\nhttps://h.org/x/b.png,0\n", {}),
    "words that are named": ("path,label\na.png,C1\nb.png,C2\n", {"words": {"positive": "c1", "negative": ["C2"]}}),
    "numbers that are named": ("path,label\na.png,2\nb.png,1\n", {"words": {"positive": [2], "negative": [1]}}),
    "names without suffix": ("path,label\na,1\nb,0\n", {}),
    "other suffixes": ("path,label\na.jpg,1\nb.dcm,0\n", {}),
    "another case": ("path,label\nA.PNG,1\nB.png,0\n", {}),
    "backslashes": ("path,label\n.\\a.png,1\n.\\b.png,0\n", {}),
    "paths of another machine": ("path,label\nD:\\scans\\a.png,1\n/home/ann/b.png,0\n", {}),
    "addresses": ("path,label\nfile:///data/a.png,1\nfile:///data/b.png,0\n", {}),
    "an id": ("id,label\na,1\nb,0\n", {}),
    "a UID that is a name": ("uid,label\na,1\nb,0\n", {}),
    "a patient that is a name": ("patientId,x,Target\na.png,,1\nb,,0\n", {}),
    "an id that is none": ("id,scan of,label\n1,a.png,1\n2,b.png,0\n", {}),
    "a set that is none": ("path,dataset,label\na.png,NIH,1\nb.png,RSNA,0\n", {}),
    "a key that is the name": ("path,label\nold/a.png,1\nold/b.png,0\n", {"key": "name"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_a_table_is_read_as_people_save_it(label, kind):
    table, changes = READ[kind]

    assert labels_of(label(table, *TWO, **changes)) == {"a.png": "PNEUMONIA", "b.png": "NORMAL"}


@pytest.mark.parametrize(
    ("paths", "files", "expected"),
    [
        (["x/1.png", "y/1.png"], ["set/x/1.png", "set/y/1.png"], {"x/1.png": "1", "y/1.png": "2"}),
        (["1.png", "2.png"], ["x/1.png", "y/1.png", "2.png"], {"x/1.png": "", "y/1.png": "", "2.png": "2"}),
        (["a/x/1.png", "b/x/1.png"], ["a/x/1.png", "x/1.png"], {"a/x/1.png": "1", "x/1.png": "2"}),
        (["x/1.png", "y/1.png", "2.png"], ["z/1.png", "2.png"], {"z/1.png": "", "2.png": "3"}),
        (["x/1.png", "2.png"], ["z/1.png", "2.png"], {"z/1.png": "1", "2.png": "2"}),
        (["train/1.png", "2.png"], ["valid/1.png", "2.png"], {"valid/1.png": "", "2.png": "2"}),
        (["1.png", "1.jpg"], ["1.png", "2.png"], {"1.png": "1", "2.png": ""}),
        (["1.2.3.4", "1.2.3.5.dcm"], ["1.2.3.4", "1.2.3.5"], {"1.2.3.4": "1", "1.2.3.5": "2"}),
        (["12.png", "7"], ["0012.png", "007.png"], {"0012.png": "1", "007.png": "2"}),
        (["12.0", "a%20b.png"], ["12.png", "a b.png"], {"12.png": "1", "a b.png": "2"}),
        (["1.2.3"], ["1.2.3.4", "1.2.3"], {"1.2.3.4": "", "1.2.3": "1"}),
        (["Kä.png", "Kö.png"], ["Ka\u0308.png", "Ko\u0308.png"], {"Ka\u0308.png": "1", "Ko\u0308.png": "2"}),
        (["Ka\u0308.png"], ["x/Kä.png", "2.png"], {"x/Kä.png": "1", "2.png": ""}),
    ],
)
def test_a_row_means_the_file_whose_path_has_the_longest_end_in_common(label, paths, files, expected):
    rows = "".join(f"{path},1,{number}\n" for number, path in enumerate(paths, start=1))

    source = label(f"path,label,group\n{rows}", *files)

    found = source.listing.rows
    assert {
        file.path.removeprefix("set/"): found[file.path].group if file.path in found else ""
        for file in source.listing.files
    } == expected


def test_what_was_read_with_some_freedom_is_listed(label):
    table = """path,label,age,sex,split,view
a.jpg,1,old,?,week 3,PA
else/b.png,0,6 M,w,Validation,lateral
c.png,0,999,V,,quux
"""

    source = label(table, "a.png", "b.png", "c.png")

    rows = source.listing.rows
    assert [(rows[path].age, rows[path].sex, rows[path].split) for path in ("a.png", "b.png", "c.png")] == [
        ("", "", "none"), ("0.5", "F", "val"), ("", "", ""),
    ]  # fmt: skip
    assert source.listing.label_problems == (
        ("matched without its suffix, case or leading zeros", "a.png", "in the table: a.jpg"),
        ("unknown split", "a.png", "week 3"),
        ("unreadable age", "a.png", "old"),
        ("unreadable age", "c.png", "999"),
        ("unreadable sex", "c.png", "V"),
        ("unreadable view", "c.png", "quux"),
        ("unused label", "b.png", "lateral view"),
    )


@pytest.mark.parametrize(
    ("header", "cells", "ages"),
    [
        ("age", ["62", "6M"], ["62", "0.5"]),
        ("Alter (Monate)", ["6", "6 Jahre"], ["0.5", "6"]),
        ("age_days", ["365.25", "30"], ["1", "0.08214"]),
        ("Patient's Age", ["34,5", "062Y"], ["34.5", "62"]),
        ("Âge (mois)", ["6", "6 ans"], ["0.5", "6"]),
        ("idade em meses", ["18", "6"], ["1.5", "0.5"]),
        ("age_weeks", ["3", "1"], ["0.05749", "0.01916"]),
        ("나이(세)", ["5", "6개월"], ["5", "0.5"]),
        ("Patient Age", ["24", "3 m/o"], ["24", "0.25"]),
        ("ageInDays", ["365.25", "4 y/o"], ["1", "4"]),
        ("Age at study (months)", ["24", "6 Y"], ["2", "6"]),
        ("月龄", ["24", "6 Y"], ["2", "6"]),
    ],
)  # fmt: skip
def test_an_age_counts_what_its_header_says(label, header, cells, ages):
    source = label(f"path;label;{header}\na.png;1;{cells[0]}\nb.png;0;{cells[1]}\n", *TWO)

    assert [source.listing.rows[path].age for path in TWO] == ages


@pytest.mark.parametrize(
    ("header", "cells", "sexes"),
    [
        ("sexo", "HM", "MF"), ("sexo", "FM", "FM"), ("sexo", "WM", "FM"), ("sexo", "VM", "MF"),
        ("geslacht", "VM", "FM"), ("sex", "VM", ["", ""]),
    ],
)  # fmt: skip
def test_an_m_beside_an_h_or_a_v_may_be_mujer(label, header, cells, sexes):
    source = label(f"path,label,{header}\na.png,1,{cells[0]}\nb.png,0,{cells[1]}\n", *TWO)

    assert [source.listing.rows[path].sex for path in TWO] == list(sexes)


def test_rows_of_one_image_are_read_together_and_what_they_contradict_is_listed(label):
    table = "path,label,split,age,group\na.png,1,train,,\na.png,1,test,4,p7\nb.png,0,test,5,-\n"

    source = label(table, *TWO)

    row = source.listing.rows["a.png"]
    assert (row.split, row.age, row.group) == ("train", "4", "p7")
    assert source.listing.label_problems == (("repeated row", "a.png", "same label, another split"),)


def test_a_view_that_is_not_known_is_no_view(label):
    source = label("path,label,view\na.png,1,nan\nb.png,0,-\n", *TWO)

    assert [source.listing.rows[path].view for path in TWO] == ["", ""]


@pytest.mark.parametrize("gap", ["", "nan", "None", "N/A", "unknown", "-", "?"])
@pytest.mark.parametrize("column", ["patient", "group"])
def test_rows_without_a_patient_are_no_group(label, column, gap):
    source = label(f"path,label,{column}\na.png,1,{gap}\nb.png,0,{gap}\n", *TWO)

    assert [source.listing.rows[path].group for path in TWO] == ["", ""]


def test_a_patient_of_two_letters_is_one_and_decimals_tell_no_patients_apart(label):
    table = "path,label,patient\na.png,1,7\nb.png,0,7.0\nc.png,0,NA\nd.png,0,NA\n"

    groups = [row.group for row in label(table, "a.png", "b.png", "c.png", "d.png").listing.rows.values()]

    assert groups[0] == groups[1] != groups[2] == groups[3] != ""


def test_a_projection_called_l_is_lateral(label):
    source = label("path,label,Projection\na.png,1,L\nb.png,0,PA\n", *TWO)

    assert labels_of(source) == {"a.png": "lateral view", "b.png": "NORMAL"}


def test_patients_become_groups_whose_names_do_not_tell_them(label):
    source = label("path,label,Patienten-ID\na.png,1,4711\nb.png,0,4711\nc.png,0,4712\n", "a.png", "b.png", "c.png")

    first, second, third = (source.listing.rows[path] for path in ("a.png", "b.png", "c.png"))
    assert first.group == second.group != third.group
    assert first.group.startswith("patient-")
    assert "4711" not in f"{source.listing.rows}"


NO_CLASS = {
    "a doubt is no class": ("path,Pneumonia\na.png,-1\nb.png,1\nc.png,0\n", "unknown label -1", "PNEUMONIA"),
    "no column says yes": ("path,Normal,Pneumonia,COVID\na.png,0,0,1\nb.png,1,0,0\n", "neither a", "NORMAL"),
    "both columns say yes": ("path,Normal,Pneumonia\na.png,1,1\nb.png,1,0\n", "two labels in", "NORMAL"),
    "a class equal to 0": (
        "path,label\na.png,Pneumonia=0\nd.png,Pneumonia=1\nb.png,Normal\nc.png,Pneumonia\n",
        "unknown label Pneumonia=0",
        "NORMAL",
    ),
    "a class with a minus": (
        "path,label\na.png,Pneumonia (-)\nb.png,normal\nc.png,Pneumonia\n",
        "unknown label Pneumonia (-)",
        "NORMAL",
    ),
    "a class with a question mark": (
        "path,label\na.png,Pneumonia?\nb.png,normal\nc.png,Pneumonia\n", "unknown label Pneumonia?", "NORMAL"
    ),
    "a list of two classes": (
        "path,label\na.png,Pneumonia|Normal\nb.png,normal\nc.png,1\n", "unknown label Pneu", "NORMAL"
    ),
    "a list of others": (
        "path,label\na.png,Normal|Nodule\nb.png,Pneumonia\nc.png,0\n", "unknown label Nor", "PNEUMONIA"
    ),
    "the absence of a kind": (
        "path,label\na.png,no viral pneumonia\nb.png,viral pneumonia\nc.png,normal\n", "unknown label no", "PNEUMONIA"
    ),
    "another modality": (
        "path,label,modality\na.png,1,CT\nb.png,1,X-ray\nc.png,0,CR\n", "another part of", "PNEUMONIA"
    ),
    "another part": (
        "path,label,view\na.png,1,extremities\nb.png,1,PA\nc.png,0,\n", "another part of", "PNEUMONIA"
    ),
    "slices": ("path,label,view\na.png,1,Axial\nb.png,1,AP\nc.png,0,\n", "another part of", "PNEUMONIA"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_CLASS)
def test_a_row_that_names_no_class_is_left_out(label, kind):
    table, reason, other = NO_CLASS[kind]

    first, second, *_ = label(table, *TWO, "c.png").listing.files

    assert (first.label, first.left_out[: len(reason)], second.label) == ("", reason, other)


def test_a_class_that_only_unknown_words_may_mean_is_missed(label):
    with pytest.raises(UserError, match=r"label of PNEUMONIA: unknown label ill \(1\)\. Say .*words.positive"):
        label("path,label\na.png,ill\nb.png,normal\n", *TWO)


def test_yes_and_no_to_an_unknown_question_are_no_labels(label):
    source = label("path,covid\na.png,positive\nb.png,negative\n", *TWO, name="list.csv")

    assert labels_of(source) == {"a.png": "", "b.png": ""}


def test_of_1_and_2_nothing_says_which_is_which(label):
    with pytest.raises(UserError, match=r"no file a usable label: unknown label 1 \(1\), unknown label 2 \(1\)"):
        label("path,label\na.png,1\nb.png,2\n", *TWO)


def test_a_label_that_contradicts_the_class_folder_is_listed(label):
    source = label("path,label\na.png,1\nb.png,0\n", "NORMAL/a.png", "NORMAL/b.png")

    assert [file.label for file in source.listing.files] == ["PNEUMONIA", "NORMAL"]
    assert source.listing.label_problems == (
        ("label other than the class folder's", "NORMAL/a.png", "in the table: PNEUMONIA"),
    )


def test_tables_of_splits_are_read_together(label):
    label("path,label\na.png,1\n", *TWO, name="train_labels.csv")
    source = label("path,label\nb.png,0\n", name="test.csv")

    assert [(file.label, file.source_split) for file in source.listing.files] == [
        ("PNEUMONIA", "train"),
        ("NORMAL", "test"),
    ]


def test_tables_of_splits_are_read_together_whatever_the_case_of_their_columns(label):
    label("path,label\na.png,1\nb.png,0\n", "a.png", "b.png", "c.png", name="train.csv")
    source = label("Path,Label\nc.png,1\n", name="test.csv")

    assert [file.source_split for file in source.listing.files] == ["train", "train", "test"]


def test_tables_of_splits_are_read_together_beside_others_of_one_class(label):
    for split, (one, other) in {"train": "ab", "test": "cd"}.items():
        boxes = f"image_id,class_name,x_min\n{one},No finding,\n"
        label(f"image_id,label\n{one},0\n{other},1\n", "a.png", "b.png", "c.png", "d.png", name=f"labels_{split}.csv")
        source = label(boxes, name=f"boxes_{split}.csv")

    assert [(file.label, file.source_split) for file in source.listing.files] == [
        ("NORMAL", "train"), ("PNEUMONIA", "train"), ("NORMAL", "test"), ("PNEUMONIA", "test"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"Befunde.csv": "path,label\na.png,1\nb.png,0\n"}, ["PNEUMONIA", "NORMAL"]),
        ({"LABELS.CSV": "path,label\na.png,1\nb.png,0\n"}, ["PNEUMONIA", "NORMAL"]),
        (
            {"x/findings.tsv": "path\tlabel\na.png\t1\nb.png\t0\n", "notes.csv": "who,what\nann,x\n"},
            ["PNEUMONIA", "NORMAL"],
        ),
    ],
)  # fmt: skip
def test_the_only_table_of_labels_beside_a_flat_folder_is_found(label, names, expected):
    first, *_ = names
    for name, content in names.items():
        source = label(content, *TWO, name=name)

    assert [file.label for file in source.listing.files] == expected, first


def test_a_table_of_one_class_is_none_beside_one_of_both(label):
    label("id,label\na,1\nb,0\n", *TWO, name="train.csv")

    source = label("id,label\nq,0\nr,0\n", name="sample_submission.csv")

    assert labels_of(source) == {"a.png": "PNEUMONIA", "b.png": "NORMAL"}


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gbk", "文件名,诊断\na.png,肺炎\nb.png,正常\n"),
        ("cp949", "파일명,판독결과\na.png,폐렴\nb.png,정상\n"),
        ("shift_jis", "ファイル名,診断\na.png,肺炎\nb.png,異常なし\n"),
        ("cp1251", "файл,диагноз\na.png,пневмония\nb.png,норма\n"),
    ],
)
def test_the_only_table_is_found_in_whatever_encoding(label, encoding, content):
    source = label(content.encode(encoding), "a.png", "b.png", name="findings.csv")

    assert labels_of(source) == {"a.png": "PNEUMONIA", "b.png": "NORMAL"}


def test_tables_of_boxes_go_behind_those_of_images(label, tmp_path):
    for split, name in (("train", "a"), ("test", "b")):
        (tmp_path / "set" / split).mkdir(parents=True)
        boxes = f"image_id,class_name,x_min\n{name},Pneumonia,1\n{name},No finding,\n"
        (tmp_path / "set" / f"annotations_{split}.csv").write_text(boxes)
    (tmp_path / "set/image_labels_test.csv").write_text("image_id,No finding,Pneumonia\nb,0,1\nc,1,0\n")
    rows = "image_id,No finding,Pneumonia\na,1,0\nd,0,1\n"

    files = ["train/a.dicom", "test/b.dicom", "test/c.dicom", "train/d.dicom"]
    source = label(rows, *files, name="image_labels_train.csv")

    assert labels_of(source) == dict(zip(sorted(files), ["PNEUMONIA", "NORMAL", "NORMAL", "PNEUMONIA"], strict=True))


@pytest.mark.parametrize(
    ("patients", "expected"),
    [
        (("P01", "P02"), {"P01/a.jpg": "PNEUMONIA", "P01/b.jpg": "PNEUMONIA", "P02/x/a.jpg": "NORMAL"}),
        (("P01", "7", "8"), None),
    ],
)
def test_a_patient_without_headers_is_a_folder(label, patients, expected):
    rows = "".join(f"{one},{('pneumonia', 'normal')[at % 2]}\n" for at, one in enumerate(patients))
    table = f"patient,diagnosis\n{rows}"
    files = ["P01/a.jpg", "P01/b.jpg", "P02/x/a.jpg"]
    if expected is None:
        with pytest.raises(UserError, match="names a file"):
            label(table, *files, name="diagnoses.csv")
    else:
        source = label(table, *files, name="diagnoses.csv")
        assert labels_of(source) == expected
        groups = [source.listing.rows[path].group for path in files]
        assert groups[0] == groups[1] != groups[2]


@pytest.mark.parametrize(
    ("column", "keys"), [("Accession No", ("700001", "2")), ("StudyInstanceUID", ("1.2.3", "1.2.4"))]
)
def test_a_study_without_headers_is_a_folder_and_its_patient_is_not_known(label, column, keys):
    files = [f"{keys[0]}/IM1.png", f"{keys[0]}/IM2.png", f"{keys[1]}/IM1.png"]

    source = label(f"{column};Befund\n{keys[0]};Pneumonie\n{keys[1]};normal\n", *files)
    assert labels_of(source) == dict(zip(files, ["PNEUMONIA", "PNEUMONIA", "NORMAL"], strict=True))
    assert {source.listing.rows[path].group for path in files} == {""}


LANGUAGES = {
    "Turkish in capitals": "DOSYA ADI;TANI\na.png;ZATÜRRE\nb.png;SAĞLIKLI\n",
    "Turkish": "Dosya adı;Sonuç\na.png;pnömoni\nb.png;sağlıklı\n",
    "Greek": "Αρχείο;Διάγνωση\na.png;Πνευμονία\nb.png;φυσιολογικό\n",
    "Greek in capitals": "ΑΡΧΕΙΟ;ΔΙΑΓΝΩΣΗ\na.png;ΠΝΕΥΜΟΝΙΑ\nb.png;ΦΥΣΙΟΛΟΓΙΚΟ\n",
    "Polish": "Nazwa pliku;Rozpoznanie\na.png;zapalenie płuc\nb.png;bez zmian\n",
    "Dutch": "Bestandsnaam;Diagnose\na.png;Longontsteking\nb.png;Geen afwijkingen\n",
    "Finnish": "Tiedosto;Diagnoosi\na.png;keuhkokuume\nb.png;normaali\n",
    "Hungarian": "Fájlnév;Diagnózis\na.png;tüdőgyulladás\nb.png;normál\n",
    "Ukrainian": "Файл;Діагноз\na.png;Пневмонія\nb.png;Норма\n",
    "Croatian": "Datoteka;Dijagnoza\na.png;upala pluća\nb.png;uredan\n",
    "Thai": "ไฟล์;การวินิจฉัย\na.png;ปอดอักเสบ\nb.png;ปกติ\n",
    "Hebrew": "קובץ;אבחנה\na.png;דלקת ריאות\nb.png;תקין\n",
    "Italian": "Nome file;Diagnosi\na.png;Polmonite\nb.png;Nella norma\n",
    "French": "Fichier;Résultat\na.png;Pneumonie\nb.png;RAS\n",
    "short for diagnosis": "file,dx\na.png,Pneumonia\nb.png,Normal\n",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_table_is_read_in_its_language_and_in_capitals(label, language):
    assert labels_of(label(LANGUAGES[language], *TWO)) == {"a.png": "PNEUMONIA", "b.png": "NORMAL"}


def test_of_several_tables_of_labels_none_is_guessed_and_none_is_used_beside_class_folders(label):
    assert label("path,label\na.png,1\n", "NORMAL/a.png", name="one.csv").listing.rows == {}
    (named := label("path,label\na.png,1\n", name="two.csv", table="one.csv"))
    assert list(named.listing.rows) == ["NORMAL/a.png"]


def test_where_several_tables_have_labels_one_must_be_named(label):
    label("path,label\na.png,1\nb.png,0\n", *TWO, name="one.csv")

    with pytest.raises(UserError, match=r"have labels: one.csv, two.csv. Name one: --params=labels.table=one.csv"):
        label("path,label\na.png,0\nb.png,1\n", name="two.csv")


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("Normal", "Pneumonia"), ["NORMAL", "PNEUMONIA"]),
        (("normal", "PNEUMONIA"), ["NORMAL", "PNEUMONIA"]),
        (("0_normal", "1_pneumonia"), ["NORMAL", "PNEUMONIA"]),
        (("class0_normal", "class1_pneumonia"), ["NORMAL", "PNEUMONIA"]),
        (("healthy", "pneumonia cases"), ["NORMAL", "PNEUMONIA"]),
        (("gesund", "Lungenentzündung"), ["NORMAL", "PNEUMONIA"]),
        (("Kontrollen", "Pneumonie"), ["NORMAL", "PNEUMONIA"]),
        (("NORMAL", "healthy"), ["NORMAL", "healthy"]),
        (("0", "1"), ["0", "1"]),
        (("Saludable", "Neumonía"), ["NORMAL", "PNEUMONIA"]),
        (("pneumonia_0", "pneumonia_1"), ["pneumonia_0", "pneumonia_1"]),
        (("NORMAL", "Pneumonia (-)"), ["NORMAL", "Pneumonia (-)"]),
        (("NORMAL", "Viral Pneumonia"), ["NORMAL", "PNEUMONIA"]),
        (("normal", "bacteria"), ["NORMAL", "PNEUMONIA"]),
        (("negative", "positive"), ["NORMAL", "PNEUMONIA"]),
        (("0_Neg", "1_Pos"), ["NORMAL", "PNEUMONIA"]),
        (("no", "yes"), ["NORMAL", "PNEUMONIA"]),
        (("NORMAL", "positive"), ["NORMAL", "PNEUMONIA"]),
        (("positive", "positive (?)"), ["positive", "positive (?)"]),
        (("positive", "other"), ["positive", "other"]),
        (("PNEUMONIA", "Viral Pneumonia"), ["PNEUMONIA", "Viral Pneumonia"]),
    ],
)
def test_a_class_folder_is_known_in_any_case_and_by_the_usual_words(label, folders, expected):
    source = label("x\n", f"{folders[0]}/a.png", f"{folders[1]}/b.png", name="other.txt")

    assert [file.label for file in sorted(source.listing.files, key=lambda file: file.member.name[-5:])] == expected


def test_a_table_of_another_place_is_read(label, tmp_path):
    (tmp_path / "elsewhere.csv").write_text("path,label\na.png,1\n")

    source = label("x\n", "a.png", name="other.csv", table=str(tmp_path / "elsewhere.csv"))

    assert labels_of(source) == {"a.png": "PNEUMONIA"}


@pytest.mark.skipif(os.name == "nt", reason="pipes need POSIX")
def test_what_is_no_table_at_another_place_is_named(label, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for table, reason in (
        (str(tmp_path / "pipe.csv"), "Is no file"),
        ("~nobody-of-this-name/a.csv", "begins with a user"),
    ):
        with pytest.raises(UserError, match=reason):
            label("x\n", "a.png", name="other.csv", table=table)


def test_groups_and_facts_of_patients_reach_the_index(label, tmp_path, default_parameters):
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    table = "path,label,group,age,sex,view\na.png,1,child 7,4,female,ap\nb.png,,,,,\nc.png,0,,,,\n"
    source = label(table, "a.png", "b.png", "c.png")

    index = make_index(source, examine_files(source, IndexCache(tmp_path / "cache"), ingest), ingest)

    columns = ["path", "status", "group", "age", "sex", "view"]
    assert index[columns].to_numpy().tolist() == [
        ["a.png", "rejected", "child 7", "4", "F", "AP"],
        ["b.png", "left out", "b.png", "", "", ""],
        ["c.png", "rejected", "c.png", "", "", ""],
    ]


def test_groups_in_a_national_encoding_are_read(tmp_path, default_parameters):
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    for name in ("NORMAL/甲.png", "PNEUMONIA/乙.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "groups.csv").write_bytes("path;group\nNORMAL/甲.png;7\nPNEUMONIA\\乙.png;7\n".encode("gbk"))

    assert make_index(ImageSource(str(tmp_path)), {}, ingest)["group"].tolist() == ["7", "7"]


def test_the_view_in_a_table_goes_before_the_name_of_the_file(label, default_parameters):
    ingest = IngestParameters.model_validate(default_parameters["ingest"])
    source = label("path,label,view\na_lat.png,1,PA\nb_lat.png,0,\n", "a_lat.png", "b_lat.png")

    index = make_index(source, {path: Facts("0") for path in ("a_lat.png", "b_lat.png")}, ingest)
    assert index[["status", "view", "reason"]].to_numpy().tolist() == [
        ["ok", "PA", ""], ["other object", "LATERAL", "not a frontal view: called lateral"],
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["Groups.csv", "train/groups.csv", "NORMAL/groups.csv", "groups.xlsx", "Groups.tsv"])
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
