import pytest
from kedro.io import DatasetError

from pneumonia.datasets.image_source import ImageSourceDataset, IndexCacheDataset


def test_loading_a_source_opens_nothing():
    assert ImageSourceDataset(path="no/such/folder").load().address == "no/such/folder"


def test_kaggle_is_kaggle_though_kedro_takes_it_for_a_relative_path():
    assert ImageSourceDataset(path="/project/kaggle", address="kaggle").load().address == "kaggle"
    assert ImageSourceDataset(path="/project/images", address="images").load().address == "/project/images"


def test_a_home_folder_is_not_relative_to_the_project():
    assert ImageSourceDataset(path="/project/~/xray", address="~/xray").load().address == "~/xray"


def test_raw_images_are_never_saved():
    with pytest.raises(DatasetError, match="never written"):
        ImageSourceDataset(path="x").save(b"data")


def test_the_cache_is_a_handle_on_its_file(tmp_path):
    assert IndexCacheDataset(filepath=str(tmp_path / "c.sqlite")).load().path == tmp_path / "c.sqlite"
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_not_saved_by_a_node(tmp_path):
    with pytest.raises(DatasetError, match="written through the handle"):
        IndexCacheDataset(filepath=str(tmp_path / "c.sqlite")).save({})
