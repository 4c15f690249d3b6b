import keras
import numpy as np
import pytest
from kedro.io.core import Version

from pneumonia.base.errors import UserError
from pneumonia.datasets import ModelDataset

FIRST = "2026-01-01T00.00.00.000Z"


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


@pytest.fixture
def dataset(tmp_path):
    return ModelDataset(filepath=str(tmp_path / "model.keras"), version=Version(None, FIRST))


def test_weights_come_back(dataset, model):
    dataset.save(model)
    loaded = dataset.load()

    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_plain_keras_loads_the_file(dataset, model, tmp_path):
    dataset.save(model)

    loaded = keras.models.load_model(tmp_path / "model.keras" / FIRST / "model.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_a_cut_model_is_refused_by_name(dataset, model, tmp_path):
    dataset.save(model)
    path = tmp_path / "model.keras" / FIRST / "model.keras"
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(UserError, match=r"model\.keras is not a complete model"):
        dataset.load()


def test_a_model_that_was_changed_inside_is_refused_by_name(dataset, model, tmp_path):
    dataset.save(model)
    path = tmp_path / "model.keras" / FIRST / "model.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(UserError, match=r"model\.keras is not a complete model"):
        dataset.load()


def test_it_is_known_whether_a_model_is_there(dataset, model):
    assert not dataset.exists()
    dataset.save(model)
    assert dataset.exists()
    assert "model.keras" in str(dataset)
