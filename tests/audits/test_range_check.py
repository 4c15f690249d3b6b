import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.range_check import (
    CHANGED,
    DRAWN,
    KIND_LABELS,
    UNTOUCHED,
    check_range,
    cut_half,
    measure_in_range,
)
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

    table, distances = check_range(network, image_range, tiny_manifest, *tiny_pixels, evaluation_parameters)
    assert distances["path"].tolist() == tiny_manifest.loc[tiny_manifest["split"] == "test", "path"].tolist()
    table = table.set_index("kind")
    assert table.loc[UNTOUCHED, "outside"] == (distances["distance"] > 1).mean()

    assert table.index.tolist() == list(KIND_LABELS) == [UNTOUCHED, *CHANGED, *DRAWN]
    assert np.isnan(table.loc[UNTOUCHED, "auc"])
    assert table["n"].tolist() == [8] * 5 + [100] * 2
    assert table.loc["blank", "auc"] == 1.0  # the training images are grey noise with a bright band at the top


def test_the_images_that_are_judged_are_measured_beside_all():
    rows = [("a", 0, 0.1, 0), ("b", 0, 0.2, 0), ("c", 1, 0.9, 1), ("d", 1, 0.8, 1), ("e", 1, 0.05, 0)]
    predictions = pd.DataFrame(rows, columns=["path", "target", "probability", "decision"])
    predictions = predictions.assign(split="test", group=predictions["path"])
    distances = pd.DataFrame({"path": list("abcde"), "distance": [0.5, 1.0, 0.1, 0.2, 1.1]})
    table = measure_in_range(predictions, distances).set_index("images")
    assert table["n"].to_dict() == {"all": 5, "in range": 4}
    assert table["sensitivity"].to_dict() == {"all": pytest.approx(2 / 3), "in range": 1}
    assert table["auc"].to_dict() == {"all": pytest.approx(4 / 6), "in range": 1}


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
