import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_with_checksum
from pneumonia.datasets.services import (
    load_all_records,
    open_demo_images,
    open_environments,
    open_images,
    open_index_cache,
    open_second_hospital,
)

FIRST = "2026-01-01T00.00.00.000Z"
SECOND = "2026-01-02T00.00.00.000Z"


def test_opening_images_opens_nothing():
    assert open_images(path="no/such/folder").address == "no/such/folder"


def test_kaggle_is_kaggle_though_kedro_takes_it_for_a_relative_path():
    assert open_images(path="/project/kaggle", address="kaggle").address == "kaggle"
    assert open_images(path="/project/images", address="images").address == "/project/images"


def test_a_home_folder_is_not_relative_to_the_project():
    assert open_images(path="/project/~/xray", address="~/xray").address == "~/xray"


def test_where_nobody_said_which_images_the_parameter_is_named():
    with pytest.raises(UserError, match="--params=images=PATH"):
        open_images(path=None, address=None)


def test_the_demo_images_are_made_when_they_are_first_asked_for(tmp_path):
    source = open_demo_images(path=str(tmp_path / "images"), n_images=40, seed=0)

    assert len(source.listing.files) == 40
    assert source.read_side_file("lesions.csv").startswith(b"path,left,top,right,bottom")


def test_the_demo_refuses_images_of_the_users_own(tmp_path):
    with pytest.raises(UserError, match=r"does not read /lab/images\. Leave out --env=demo"):
        open_demo_images(path=str(tmp_path), n_images=40, seed=0, images="/lab/images")


def test_the_cache_is_a_handle_on_its_file(tmp_path):
    assert open_index_cache(path=str(tmp_path / "c.sqlite")).path == tmp_path / "c.sqlite"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def record(tmp_path):
    """Write a version of a record."""

    def record(version, text):
        file = tmp_path / "run_record.json" / version / "run_record.json"
        file.parent.mkdir(parents=True)
        file.write_text(text)

    return record


def test_where_nothing_was_recorded_there_are_no_records(tmp_path):
    assert load_all_records(str(tmp_path / "run_record.json")) == {}


def test_every_version_of_a_record_is_loaded_by_its_name(record, tmp_path):
    for version in (FIRST, SECOND):
        record(version, f'{{"run_id": "{version}"}}')

    found = load_all_records(str(tmp_path / "run_record.json"))
    assert found == {
        FIRST: {"run_id": FIRST},
        SECOND: {"run_id": SECOND},
    }


def test_a_record_that_is_not_whole_is_named(record, tmp_path):
    record(FIRST, '{"run_id": ')

    with pytest.raises(UserError, match=rf"{FIRST}/run_record\.json is damaged"):
        load_all_records(str(tmp_path / "run_record.json"))


def test_versions_of_environments_below_the_root_are_named_by_where_they_write(tmp_path):
    for root, version in ((tmp_path, SECOND), (tmp_path / "notes", FIRST), (tmp_path / "notes/deeper", FIRST)):
        path = root / "08_reporting/metrics.json" / version / "metrics.json"
        path.parent.mkdir(parents=True)
        write_with_checksum(path, f'{{"of": "{root.name}"}}'.encode())
    path = str(tmp_path / "08_reporting/metrics.json")

    found = open_environments(path, "pneumonia.datasets.RecordDataset")

    assert sorted(found) == [SECOND, f"notes/{FIRST}"]
    assert found[f"notes/{FIRST}"]() == {"of": "notes"}


def test_the_second_hospital_gives_way_to_whatever_images_are_named(tmp_path):
    named = {"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}
    source = open_second_hospital(path=str(tmp_path / "drawn"), n_images=40, seed=0, images=named)
    assert source.name == "a+b"
    assert not (tmp_path / "drawn").exists()
