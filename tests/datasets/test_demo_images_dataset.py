import pytest

import pneumonia.datasets
from pneumonia.base.errors import UserError
from pneumonia.datasets import DemoImagesDataset


def test_the_images_are_made_when_they_are_first_asked_for(tmp_path):
    dataset = DemoImagesDataset(path=str(tmp_path / "images"), n_images=40, seed=0)
    assert not (tmp_path / "images").exists()

    source = dataset.load()
    assert len(source.listing.files) == 40
    assert source.read_side_file("lesions.csv").startswith(b"path,left,top,right,bottom")


def test_images_of_the_users_own_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"would not read /lab/images\. Leave out --env=demo"):
        DemoImagesDataset(path=str(tmp_path), n_images=40, seed=0, images="/lab/images").load()


def test_nothing_is_saved_into_the_demo_images(tmp_path):
    with pytest.raises(UserError, match="generated"):
        DemoImagesDataset(path=str(tmp_path), n_images=40, seed=0).save({})


def test_a_dataset_that_does_not_exist_is_no_attribute():
    with pytest.raises(AttributeError, match="NoSuchDataset"):
        pneumonia.datasets.NoSuchDataset  # noqa: B018
