import pytest

import pneumonia.datasets
from pneumonia.base.errors import UserError
from pneumonia.datasets import ServiceDataset


@pytest.fixture
def dataset(tmp_path):
    arguments = {"path": str(tmp_path / "c.sqlite")}
    return ServiceDataset(service="pneumonia.datasets.services.open_index_cache", arguments=arguments)


def test_it_loads_what_the_function_returns(dataset, tmp_path):
    assert dataset.load().path == tmp_path / "c.sqlite"
    assert dataset.exists()


def test_an_error_that_a_user_can_mend_is_not_wrapped():
    dataset = ServiceDataset(service="pneumonia.datasets.services.open_images", arguments={"path": None})

    with pytest.raises(UserError, match=r"^Name the images to score"):
        dataset.load()


def test_nothing_is_saved_into_a_service(dataset):
    with pytest.raises(UserError, match="open_index_cache can only be read or called"):
        dataset.save({})


def test_a_dataset_that_does_not_exist_is_no_attribute():
    with pytest.raises(AttributeError, match="NoSuchDataset"):
        pneumonia.datasets.NoSuchDataset  # noqa: B018
