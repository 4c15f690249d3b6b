import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import InputsParameters
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.inputs.figures import draw_batch
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import plan_epoch
from pneumonia.pixels.request import request_pixels


@pytest.fixture(scope="module")
def parameters(default_parameters):
    return InputsParameters.model_validate({**default_parameters["inputs"], "image_size": 32})


@pytest.fixture
def source(tmp_path, tiny_images):
    for path, content in tiny_images.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return ImageSource(str(tmp_path))


def test_the_pixels_of_every_image_of_the_manifest_are_asked_for(source, tiny_manifest, tiny_images, parameters):
    request = request_pixels(source, tiny_manifest, parameters)

    assert request.paths == tuple(tiny_manifest["path"])
    assert request.sha256s == tuple(tiny_manifest["sha256"])
    assert (request.image_size, request.resize) == (32, "squeeze")
    assert request.read(request.paths[3]) == tiny_images[request.paths[3]]


@pytest.fixture(scope="module")
def figure(tiny_manifest, tiny_stores, parameters):
    return draw_batch(tiny_manifest, tiny_stores, parameters, 7)


def test_the_batch_shows_the_first_training_images_with_label_and_file_name(figure, tiny_manifest):
    train = tiny_manifest[tiny_manifest["split"] == "train"]
    expected = train.iloc[plan_epoch(24, 7, 0, 0)[0][:8].numpy()]

    assert [panel.get_title(loc="left") for panel in figure.axes] == expected["label"].tolist()
    names = [path.split("/")[-1] for path in expected["path"]]
    assert [panel.texts[0].get_text() for panel in figure.axes] == names


def test_each_image_is_shown_above_what_the_network_sees(figure, tiny_manifest, tiny_store, parameters):
    train = tiny_manifest[tiny_manifest["split"] == "train"]
    order, draws = (tensor.numpy() for tensor in plan_epoch(24, 7, 0, N_DRAWS))
    stored = tiny_store.read(tiny_store.rows(train.iloc[order[:8]]["sha256"]))
    augmented = augment(stored, draws[order[:8]], parameters.augmentation).numpy()

    shown = np.array([panel.images[0].get_array() for panel in figure.axes])
    assert np.array_equal(shown[:, :32], stored[..., 0])
    assert np.array_equal(shown[:, 35:], augmented[..., 0])


def test_a_batch_of_fewer_images_leaves_the_other_panels_out(tiny_manifest, tiny_stores, parameters):
    three = tiny_manifest[tiny_manifest["split"] == "train"].head(3)
    figure = draw_batch(three, tiny_stores, parameters, 7)

    assert [panel.get_visible() for panel in figure.axes] == [True] * 3 + [False] * 5


def test_pixels_of_another_size_are_not_drawn(tiny_manifest, tiny_stores, parameters):
    with pytest.raises(UserError, match="no pixels in .*64-squeeze"):
        draw_batch(tiny_manifest, tiny_stores, parameters.model_copy(update={"image_size": 64}), 7)
