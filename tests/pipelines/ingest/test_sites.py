import pandas as pd
import pytest
from pydantic import ValidationError

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import LabelsParameters, Parameters
from pneumonia.datasets.services import open_images
from pneumonia.images.cache import IndexCache
from pneumonia.images.sites import Sites, cells_of
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes
from pneumonia.split.manifest import MANIFEST_COLUMNS, ManifestContract
from pneumonia.split.summary import FlowStep, count_data_flow, tabulate_split


@pytest.fixture
def labels(default_parameters):
    return LabelsParameters.model_validate(default_parameters["labels"])


@pytest.fixture
def ingest(tmp_path, delivered, labels):
    """Index and split images by the nodes, as a run does."""

    def run(images, sources=None, **changes):
        parameters = delivered(**changes)
        index, problems = nodes.index_images(
            images, IndexCache(tmp_path / "cache.sqlite"), parameters, labels, sources or {}
        )
        rejected = nodes.list_rejected(index)
        near = nodes.find_near_duplicates(images, index, rejected, parameters)
        return index, nodes.split_images(index, rejected, near, parameters), near, problems

    return run


@pytest.fixture
def two(write_folder, published, make_pixels, encode):
    """The published images, and others in folders `healthy` and `ill` of another place, with the same numbers."""
    names = [f"{label}/IM-{n:04}-000{k}.jpeg" for label in ("healthy", "ill") for n in range(8) for k in (1, 2)]
    there = {name: encode(make_pixels(500 + seed)) for seed, name in enumerate(names)}
    return {"here": str(write_folder(published)), "there": str(write_folder(there, "there"))}


CLASSES = {"there": {"ingest": {"class_names": ["healthy", "ill"], "positive_class": "ill"}}}


def test_paths_and_groups_of_two_places_stay_apart_and_classes_get_one_name(ingest, two):
    index, manifest, _, _ = ingest(open_images(two, two), CLASSES)

    ManifestContract().validate(manifest)
    assert list(manifest.columns) == [*MANIFEST_COLUMNS, "site"]
    assert manifest["site"].value_counts().to_dict() == {"here": 36, "there": 32}
    assert set(manifest["label"]) == {"NORMAL", "PNEUMONIA"}
    row = index.set_index("path").loc["there/ill/IM-0003-0001.jpeg"]
    assert row[["label", "group", "site", "etiology"]].tolist() == ["PNEUMONIA", "there/IM-0003", "there", "unknown"]
    assert "here/IM-0003" in set(index["group"])


def test_each_place_is_split_by_class_in_the_same_shares(ingest, two):
    _, manifest, _, _ = ingest(open_images(two, two), CLASSES)

    there = manifest[manifest["site"] == "there"]
    # 8 groups of 2 images: a tenth of all images becomes test, and a fifth of the rest val; whole groups at a time.
    for label in ("NORMAL", "PNEUMONIA"):
        counts = there.loc[there["label"] == label, "split"].value_counts().to_dict()
        assert counts == {"train": 12, "val": 2, "test": 2}
    assert (manifest.loc[manifest["site"] == "here", "source_split"] == "test").sum() == 2


def test_images_are_read_by_the_path_of_the_manifest(two):
    images = open_images(two, two)
    direct = ImageSource(two["there"]).read("ill/IM-0003-0001.jpeg")

    assert images.read("there/ill/IM-0003-0001.jpeg") == direct
    assert images.address == f"here: {two['here']}, there: {two['there']}"
    with pytest.raises(UserError, match="elsewhere/a.jpeg"):
        images.read("elsewhere/a.jpeg")


def test_every_file_of_every_place_is_accounted_for(ingest, two, delivered):
    images = open_images(two, two)
    index, manifest, near, _ = ingest(images, CLASSES)

    flow = count_data_flow(images, index, near, manifest, delivered()).groupby("step")["images"].first()
    assert flow[FlowStep.FOUND] == flow[FlowStep.SUM] == 68
    assert flow[FlowStep.PATIENT] == 0


def test_the_same_image_at_two_places_is_in_one_split_once(ingest, write_folder, two, published):
    copied = published["train/PNEUMONIA/person2_virus_1.jpeg"]
    write_folder({"ill/IM-0005-0003.jpeg": copied}, "there")

    index, manifest, _, _ = ingest(open_images(two, two), CLASSES)
    copy = index.set_index("path").loc["there/ill/IM-0005-0003.jpeg"]
    assert copy[["status", "reason"]].tolist() == ["duplicate", "copy of here/train/PNEUMONIA/person2_virus_1.jpeg"]
    joined = manifest[manifest["path"].str.contains("person2_virus|there/ill/IM-0005")]
    assert joined["group"].nunique() == joined["split"].nunique() == 1


def test_the_same_image_under_another_class_at_another_place_is_refused_with_both_paths(
    ingest, write_folder, two, published
):
    write_folder({"ill/IM-0009-0001.jpeg": published["train/NORMAL/IM-0003-0001.jpeg"]}, "there")

    with pytest.raises(UserError, match=r"here/train/NORMAL/IM-0003-0001\.jpeg = there/ill/IM-0009-0001\.jpeg"):
        ingest(open_images(two, two), CLASSES)


def test_one_place_has_the_manifest_that_it_had_before_there_were_several(ingest, write_folder, published):
    alone = ingest(ImageSource(str(write_folder(published))))[1]
    named = ingest(Sites({"here": ImageSource(str(write_folder(published)))}))[1]

    assert list(alone.columns) == list(named.columns) == list(MANIFEST_COLUMNS)
    assert alone["path"].tolist() == [path.removeprefix("here/") for path in named["path"]]


def test_columns_of_a_table_name_the_places_of_one_source_and_tell_of_its_patients(ingest, write_folder, published):
    folder = write_folder({path.replace("/", "_"): content for path, content in published.items()})
    rows = [
        (
            path.replace("/", "_"),
            path.split("/")[1],
            path.split("/")[0],
            "AB"[number % 2],
            ["7", "6 months", ""][number % 3],
        )
        for number, path in enumerate(published)
    ]
    pd.DataFrame(rows, columns=["path", "label", "split", "Hospital", "age"]).to_csv(folder / "labels.csv", index=False)

    _, manifest, _, _ = ingest(ImageSource(str(folder)))
    assert set(manifest["site"]) == {"A", "B"}
    assert set(manifest["age"]) == {"7", "0.5", ""}  # and no column of what the table does not tell
    assert list(manifest.columns) == [*MANIFEST_COLUMNS, "site", "age"]
    assert ManifestContract().validate(manifest) is manifest


def test_an_image_weighs_by_its_site_and_class():
    rows = pd.DataFrame({"label": ["N", "P"], "site": ["a", "b"]})

    assert cells_of(rows).tolist() == ["a: N", "b: P"]
    assert cells_of(rows[["label"]]).tolist() == ["N", "P"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sources": {"there": {}}}, r"sources\.there belongs to no source"),
        ({"images": {"a/b": "x"}}, "a/b"),
        ({"images": {"a": "x"}, "sources": {"a": {"ingest": {"seed": 1}}}}, "seed is not among"),
        ({"images": {"a": "x"}, "sources": {"a": {"labels": {"presett": "nih"}}}}, "presett"),
        ({"images": {"a": "x"}, "sources": {"a": {"ingest": {"positive_class": "ill"}}}}, "must be one of"),
    ],
)
def test_settings_of_a_source_that_cannot_be_right_are_refused(default_parameters, changes, told):
    with pytest.raises(ValidationError, match=told):
        Parameters.model_validate({**default_parameters, **changes})


def test_the_test_of_a_site_that_names_none_is_not_called_given(ingest, two, delivered):
    manifest = ingest(open_images(two, two), CLASSES)[1]
    table = tabulate_split(manifest, delivered()).query("split == 'test' and label == 'all'").iloc[0]

    given = int((manifest["source_split"] == "test").sum())
    assert table["rule"] == "as given, elsewhere 10% of all"
    assert table["demanded"] == round((given + 0.1 * 32) / len(manifest), 4)


def test_side_files_of_places_are_joined_as_people_save_them(write_folder):
    png = {"NORMAL/a.png": b"x", "PNEUMONIA/b.png": b"x"}
    one = write_folder({**png, "lesions.csv": b"path,left\nNORMAL/a.png,0.1\n"}, "one")
    other = write_folder({**png, "lesions.csv": "Path;Left\nNORMAL/a.png;0,2\n".encode("utf-16")}, "other")
    places = Sites({"one": ImageSource(str(one)), "other": ImageSource(str(other))})

    joined = b'path,left\none/NORMAL/a.png,0.1\nother/NORMAL/a.png,"0,2"\n'
    assert places.read_side_file("lesions.csv") == joined


def test_a_side_file_of_a_place_that_is_no_such_table_is_named(write_folder):
    files = {"NORMAL/a.png": b"x", "PNEUMONIA/b.png": b"x", "lesions.csv": b"file,left\n"}
    places = Sites({"one": ImageSource(str(write_folder(files)))})

    with pytest.raises(UserError, match=r"one/lesions.csv needs the column path; it has file, left"):
        places.read_side_file("lesions.csv")
