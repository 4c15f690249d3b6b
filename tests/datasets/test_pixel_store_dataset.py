import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.datasets import PixelStoreDataset
from pneumonia.pixels.request import PixelRequest


@pytest.fixture
def request_of_all(tiny_images, tiny_manifest):
    return PixelRequest(
        tuple(tiny_manifest["path"]), tuple(tiny_manifest["sha256"]), 32, "squeeze", tiny_images.__getitem__
    )


def test_a_saved_request_is_loaded_as_a_store_of_its_images(tmp_path, request_of_all, tiny_store):
    dataset = PixelStoreDataset(filepath=str(tmp_path / "pixels"))
    dataset.save(request_of_all)
    store = dataset.load().open(32, "squeeze")

    rows = store.rows(request_of_all.sha256s)
    expected = tiny_store.read(tiny_store.rows(request_of_all.sha256s))
    assert np.array_equal(store.read(rows), expected)


def test_it_exists_once_something_is_stored(tmp_path, request_of_all):
    dataset = PixelStoreDataset(filepath=str(tmp_path / "pixels"))
    assert not dataset.exists()

    dataset.save(request_of_all)
    assert dataset.exists()


def test_errors_come_through_the_catalog_as_they_are(tmp_path, request_of_all):
    (tmp_path / "pixels").write_text("a file")

    with pytest.raises(UserError, match="Could not write to"):
        PixelStoreDataset(filepath=str(tmp_path / "pixels")).save(request_of_all)
