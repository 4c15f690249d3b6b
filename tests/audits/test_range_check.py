import numpy as np
import pytest

from pneumonia.audits.range_check import CHANGED, DRAWN, KIND_LABELS, UNTOUCHED, check_range, cut_half
from pneumonia.predictor.describing import fit_image_range


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 1), name="image")
    x = keras.layers.Conv2D(8, 5, 4, activation="relu", name="features")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(1, activation="sigmoid")(x))


def test_every_kind_is_measured_beside_the_untouched_images(network, tiny_manifest, tiny_pixels, evaluation_parameters):
    image_range = fit_image_range(network, tiny_manifest, *tiny_pixels, evaluation_parameters)

    table = check_range(network, image_range, tiny_manifest, *tiny_pixels, evaluation_parameters).set_index("kind")

    assert table.index.tolist() == list(KIND_LABELS) == [UNTOUCHED, *CHANGED, *DRAWN]
    assert np.isnan(table.loc[UNTOUCHED, "auc"])
    assert table["n"].tolist() == [8] * 5 + [100] * 2
    assert table.loc["blank", "auc"] == 1.0  # the training images are grey noise with a bright band at the top


def test_each_half_is_cut_in_turn():
    cut = cut_half(np.full((5, 8, 8, 1), 9, np.uint8))
    assert [(part[0, 0, 0] > 0, part[-1, -1, 0] > 0) for part in cut] == [
        (False, True), (True, False), (False, True), (True, False), (False, True),
    ]  # fmt: skip
    assert (cut > 0).mean(axis=(1, 2, 3)).tolist() == [0.5] * 5


@pytest.mark.parametrize("kind", DRAWN)
def test_what_is_drawn_depends_on_the_seed_alone(kind):
    one, again, other = (DRAWN[kind](64, seed) for seed in (1, 1, 2))
    assert one.shape == (64, 64)
    assert one.dtype == np.uint8
    assert (one == again).all()
    assert (one != other).any()
