import pytest

from pneumonia.images.junk import junk_kind
from pneumonia.images.layout import arrange, find_root
from pneumonia.images.members import ListedFile


def members(*names, **attributes):
    return [ListedFile(name, name, size=1, **attributes) for name in names]


def paths(listing):
    return [file.path for file in listing.files]


def problems(listing):
    return {file.path: file.problem for file in listing.files}


def test_label_and_split_are_the_names_of_the_folders():
    (file,) = arrange(members("train/NORMAL/a.jpeg")).files

    assert (file.path, file.label, file.source_split, file.problem) == ("train/NORMAL/a.jpeg", "NORMAL", "train", "")


def test_paths_begin_below_the_folder_that_holds_the_splits():
    assert paths(arrange(members("x/chest_xray/val/NORMAL/b.jpeg", "x/chest_xray/train/NORMAL/a.jpeg"))) == [
        "train/NORMAL/a.jpeg",
        "val/NORMAL/b.jpeg",
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("chest_xray/__MACOSX/chest_xray/train/NORMAL/._a.jpeg", "__MACOSX"),
        ("train/NORMAL/._a.jpeg", "AppleDouble (._*)"),
        ("train/.DS_Store", ".DS_Store"),
        ("train/NORMAL/Thumbs.db", "Thumbs.db"),
        ("train/NORMAL/.ipynb_checkpoints/a.jpeg", "hidden file"),
        ("train/NORMAL/ehthumbs.db", "ehthumbs.db"),
        ("train/NORMAL/@eaDir/a.jpeg/SYNOPHOTO_THUMB_M.jpg", "in a system's own folder"),
        ("$RECYCLE.BIN/a.jpeg", "in a system's own folder"),
        ("train/NORMAL/~$findings.xlsx", "lock or stream of a system"),
        ("train/NORMAL/a.jpeg:Zone.Identifier", "lock or stream of a system"),
        ("train/NORMAL/Thumbs.db:encryptable", "lock or stream of a system"),
        ("train/NORMAL/a.jpeg.crdownload", "unfinished download"),
        ("x.zip.part", "unfinished download"),
        ("train/NORMAL/a.jpeg~", "backup of an editor"),
        ("train/NORMAL/a.png.bak", "backup of an editor"),
        ("train/NORMAL/a.jpeg", ""),
    ],
)
def test_archive_junk_is_known_by_its_name(name, kind):
    assert junk_kind(name) == kind


def test_junk_is_counted_by_kind_and_is_no_image():
    listing = arrange(members("train/NORMAL/a.jpeg", "train/NORMAL/._a.jpeg", "val/.DS_Store", "test/.DS_Store"))

    assert paths(listing) == ["train/NORMAL/a.jpeg"]
    assert listing.junk == {".DS_Store": 2, "AppleDouble (._*)": 1}


def test_annotations_called_like_their_images_are_counted_and_no_images():
    listing = arrange(members("NORMAL/a.png", "NORMAL/a.xml", "NORMAL/a.png.json", "NORMAL/notes.txt", "X/b.txt"))

    assert (paths(listing), listing.others) == (["NORMAL/a.png"], ("NORMAL/notes.txt", "X/b.txt"))
    assert listing.junk == {"annotation called like its image": 2}


def test_pictures_of_a_viewer_are_none_of_the_set():
    images = ["NORMAL/CD1/IMG0001", "PNEUMONIA/CD2/IMG0002"]
    names = ["NORMAL/CD1/Viewer/logo.jpg", "NORMAL/CD1/Viewer/run.exe", "NORMAL/report.pdf"]
    names += ["PNEUMONIA/CD2/DICOM-Viewer/a.dll", "PNEUMONIA/CD2/DICOM-Viewer/x/b.png"]
    listing = arrange(members(*images, *names))

    assert (paths(listing), listing.others) == (images, ("NORMAL/report.pdf",))
    assert listing.junk == {"viewer's program, page or index": 4}
    named = arrange(members("viewer/NORMAL/a.png", "viewer/PNEUMONIA/b.png"))
    assert paths(named) == ["NORMAL/a.png", "PNEUMONIA/b.png"]


def test_a_folder_between_split_and_class_that_only_says_images_is_passed_over():
    names = ["train/images/NORMAL/a.png", "test/IMAGES/PNEUMONIA/x/b.png", "val/val/NORMAL/d.png", "train/images/c.png"]
    listing = arrange(members(*names))

    assert [(file.source_split, file.label) for file in listing.files] == [
        ("test", "PNEUMONIA"),
        ("train", "NORMAL"),
        ("train", "images"),
        ("val", "NORMAL"),
    ]


def test_a_second_tree_of_copies_is_junk():
    listing = arrange(members("x/train/NORMAL/a.jpeg", "x/x/train/NORMAL/a.jpeg"))

    assert paths(listing) == ["train/NORMAL/a.jpeg"]
    assert listing.junk == {"copy in a second tree": 1}


def test_an_image_that_only_the_second_tree_has_is_not_passed_over():
    listing = arrange(members("x/train/NORMAL/a.jpeg", "x/x/train/NORMAL/b.jpeg"))

    assert problems(listing) == {"train/NORMAL/a.jpeg": "", "x/train/NORMAL/b.jpeg": "not in a class folder"}


def test_a_file_of_the_second_tree_with_other_bytes_is_not_a_copy():
    first = ListedFile("train/NORMAL/a.jpeg", 1, size=9, stamp="crc32:00000001")
    same, other = (ListedFile("x/train/NORMAL/a.jpeg", 2, size=9, stamp=f"crc32:0000000{n}") for n in (1, 2))

    assert arrange([first, same]).junk == {"copy in a second tree": 1}
    assert problems(arrange([first, other]))["x/train/NORMAL/a.jpeg"] == "not in a class folder"


def test_class_folders_without_splits_are_found_below_other_folders():
    listing = arrange(members("set/NORMAL/a.jpeg", "set/PNEUMONIA/deep/b.jpeg", "README.md"))

    assert [(file.path, file.label, file.source_split) for file in listing.files] == [
        ("NORMAL/a.jpeg", "NORMAL", "none"),
        ("PNEUMONIA/deep/b.jpeg", "PNEUMONIA", "none"),
    ]


def test_a_member_with_an_absolute_path_hides_no_other():
    listing = arrange(members("NORMAL/1.jpeg", "PNEUMONIA/2.jpeg", "/etc/3.jpeg"))

    assert {file.path: file.label for file in listing.files} == {
        "NORMAL/1.jpeg": "NORMAL", "PNEUMONIA/2.jpeg": "PNEUMONIA", "/etc/3.jpeg": ""
    }  # fmt: skip


def test_a_single_class_folder_keeps_its_name_as_label():
    assert find_root(["set/NORMAL/a.jpeg", "set/NORMAL/b.jpeg"]) == ("set/", False)


def test_side_files_and_other_files_are_neither_images_nor_junk():
    listing = arrange(members("groups.csv", "lesions.csv", "README.md", "train/NORMAL/a.jpeg"))

    assert paths(listing) == ["train/NORMAL/a.jpeg"]
    assert sorted(listing.side_files) == ["groups.csv", "lesions.csv"]
    assert (listing.others, listing.junk) == (("README.md",), {})


def test_of_two_side_files_the_one_nearer_to_the_images_counts():
    listing = arrange(members("x/groups.csv", "groups.csv", "x/train/NORMAL/a.jpeg", "y/groups.csv"))

    assert listing.side_files["groups.csv"].name == "x/groups.csv"
    assert listing.others == ("groups.csv", "y/groups.csv")


def test_an_image_outside_of_the_class_folders_gets_a_row_with_its_problem():
    listing = arrange(members("train/NORMAL/a.jpeg", "train/loose.jpeg", "other/b.png"))

    assert problems(listing) == {
        "other/b.png": "not in a class folder",
        "train/NORMAL/a.jpeg": "",
        "train/loose.jpeg": "not in a class folder",
    }


def test_any_file_in_a_class_folder_counts_as_an_image_file():
    assert paths(arrange(members("train/NORMAL/notes", "train/NORMAL/a.jpeg", "train/NORMAL/b.npy"))) == [
        "train/NORMAL/a.jpeg",
        "train/NORMAL/b.npy",
        "train/NORMAL/notes",
    ]


@pytest.mark.parametrize(
    "name", ["README.txt", "LICENSE", "report.docx", "train.log", "a.py", "model.h5", "sums.md5", "a.xmp", "film.mp4"]
)
def test_a_document_in_a_class_folder_is_no_image(name):
    listing = arrange(members(f"train/NORMAL/{name}", "train/NORMAL/a.jpeg"))

    assert (paths(listing), listing.others) == (["train/NORMAL/a.jpeg"], (f"train/NORMAL/{name}",))


def test_a_member_with_a_problem_gets_a_row_wherever_it_is():
    listing = arrange([*members("train/NORMAL/a.jpeg"), *members("../etc/passwd", problem="leads out")])

    assert problems(listing)["../etc/passwd"] == "leads out"


def test_the_listing_does_not_depend_on_the_order_of_files():
    names = ["x/train/NORMAL/a.jpeg", "x/x/train/NORMAL/a.jpeg", "x/.DS_Store", "x/val/PNEUMONIA/b.jpeg", "z.txt"]

    assert arrange(members(*names)) == arrange(members(*reversed(names)))


def test_every_file_is_counted_once_as_an_image_junk_a_side_file_or_another():
    names = ["x/train/NORMAL/a.jpeg", "x/x/train/NORMAL/a.jpeg", "x/.DS_Store", "x/val/PNEUMONIA/b.jpeg", "z.txt"]
    names += ["groups.csv", "x/groups.csv", "x/train/groups.csv", "x/train/NORMAL/t.csv", "x/loose.png", "y/notes.csv"]
    raw = [*members(*names), *members("x/train/NORMAL/a.jpeg", "x/train/NORMAL/a.jpeg", "z.txt")]

    listing = arrange(raw)

    assert len(set(paths(listing))) == len(listing.files)
    counted = (len(listing.files), sum(listing.junk.values()), len(listing.side_files), len(listing.others))
    assert sum(counted) == len(raw) == 14
    assert counted == (5, 2, 1, 6)


def test_files_of_one_printable_path_are_all_listed_and_the_first_may_be_read():
    listing = arrange([ListedFile("train/NORMAL/a.jpeg", key, size=1) for key in (1, 2, 3)])

    assert problems(listing) == {
        "train/NORMAL/a.jpeg": "",
        "train/NORMAL/a.jpeg (2)": "another file has the same printable path",
        "train/NORMAL/a.jpeg (3)": "another file has the same printable path",
    }


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (
            "train",
            "train|train1|train_2|Train|TRAIN|training|Training|training_set|train-set|train_data|trn|01_train|학습"
            "|eğitim|xray_train|train_dataset|train-224|train (1)|train2017",
        ),
        (
            "val",
            "val|Val|eval|valid|VALID|validation|Validation|validation_set|dev|Dev|val_data|2-val|검증"
            "|doğrulama|dataset_val|val_224x224|validacao",
        ),
        (
            "test",
            "test|TEST|Evaluation|testing|Test_Set|holdout|hold-out|held_out|tests|Testdaten|chest_test|Test Set (2)",
        ),
        ("none", "trained|tested|evaluated|normal|set1|dev1|TR01|TR0123|images_001|dataset|trained_data"),
    ],
)
@pytest.mark.parametrize(
    "layout", ["{}/NORMAL/1.png", "x/y/{}/NORMAL/1.png", "{}/NORMAL/deep/1.png", "NORMAL/{}/1.png", "{}/1.png"]
)
def test_a_split_is_known_by_its_usual_names(split, names, layout):
    for name in names.split("|"):
        listing = arrange(members(layout.format(name), layout.format("other").replace("NORMAL", "PNEUMONIA")))

        assert [file.source_split for file in listing.files if "other" not in file.member.name] == [split], name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dev/set/Train/NORMAL/1.png", "dev/set/Valid/NORMAL/2.png"], ["Train/NORMAL/1.png", "Valid/NORMAL/2.png"]),
        (["testing/train/NORMAL/1.png", "testing/val/NORMAL/2.png"], ["train/NORMAL/1.png", "val/NORMAL/2.png"]),
        (["train/NORMAL/test/x/1.png", "val/NORMAL/2.png"], ["train/NORMAL/test/x/1.png", "val/NORMAL/2.png"]),
    ],
)
def test_the_plainest_name_of_a_split_goes_first(names, expected):
    assert paths(arrange(members(*names))) == expected


def test_masks_and_a_viewers_files_are_junk_and_no_images():
    names = [
        "NORMAL/images/1.png",
        "NORMAL/masks/1.png",
        "PNEUMONIA/images/2.png",
        "PNEUMONIA/masks/2.png",
        "PNEUMONIA/2_mask.png",
    ]
    listing = arrange(
        members(*names, "DICOMDIR", "AUTORUN.INF", "VIEWER/v.exe", "VIEWER/help/index.html", "NORMAL/images/x.dll")
    )

    assert {file.path: (file.label, file.problem) for file in listing.files} == {
        "NORMAL/images/1.png": ("NORMAL", ""), "PNEUMONIA/2_mask.png": ("PNEUMONIA", ""),
        "PNEUMONIA/images/2.png": ("PNEUMONIA", ""),
    }  # fmt: skip
    assert listing.junk == {"mask or overlay beside the images": 2, "viewer's program, page or index": 5}
    assert (listing.others, sorted(listing.tables)) == ((), [])


def test_files_that_may_be_dicom_by_their_names_are_listed_beside_a_table():
    listing = arrange(members("IM00001", "1.2.840.113619.2.5", "labels.csv", "README", "SHA256SUMS", "viewer.jar"))

    assert paths(listing) == ["1.2.840.113619.2.5", "IM00001"]
    assert listing.others == ("README", "SHA256SUMS", "labels.csv")
