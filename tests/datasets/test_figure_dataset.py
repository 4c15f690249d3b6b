import base64

import pytest
from matplotlib.figure import Figure

from pneumonia.datasets import FigureDataset


@pytest.fixture
def dataset(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(Figure(figsize=(2, 1)))
    return dataset


def test_a_figure_is_loaded_as_the_bytes_of_its_png(dataset):
    assert dataset.load().startswith(b"\x89PNG\r\n")


def test_the_preview_is_the_picture(dataset):
    assert base64.b64decode(dataset.preview()) == dataset.load()
