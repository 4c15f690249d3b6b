"""A small network with the records that belong to it, made from the tiny images."""

import numpy as np
import pytest

from pneumonia.model.lineage import weights_digest
from pneumonia.predictor.describing import fit_image_range


@pytest.fixture(scope="session")
def network():
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 1), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 5, 4, activation="relu", name="features")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(1, activation="sigmoid", name="probability")(x))


@pytest.fixture(scope="session")
def lineage(network, tiny_store):
    return {
        "pixels": tiny_store.fingerprint,
        "image_size": 32,
        "resize": "squeeze",
        "class_names": ["NORMAL", "PNEUMONIA"],
        "weights_sha256": weights_digest(network),
    }


@pytest.fixture(scope="session")
def decision(network):
    return {
        "weights_sha256": weights_digest(network),
        "threshold": 0.5,
        "calibration": {"method": "logistic", "prevalence": 0.5, "slope": 0.5, "intercept": 0.0},
        "fitted_on": {"split": "val", "n": 8, "n_groups": 8},
    }


@pytest.fixture(scope="session")
def image_range(network, tiny_manifest, tiny_store):
    return fit_image_range(network, tiny_manifest, tiny_store, 16)


@pytest.fixture(scope="session")
def wide_range(image_range):
    """A range that every image lies in."""
    return {**image_range, "bound": 1e12}


@pytest.fixture
def folder(tmp_path, tiny_images):
    """Ten of the tiny images, at the top and in subfolders, beside files that cannot be used."""
    for number, content in enumerate(list(tiny_images.values())[:10]):
        path = tmp_path / "new" / ("deep/er" if number % 2 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "new/empty.png").write_bytes(b"")
    (tmp_path / "new/text.jpeg").write_bytes(b"no image")
    (tmp_path / "new/notes.txt").write_bytes(b"not listed")
    return tmp_path / "new"


@pytest.fixture(scope="session")
def noise():
    """Twenty images that show no chest at all, uint8 [20, 32, 32, 1]."""
    return np.random.default_rng(1).integers(0, 256, (20, 32, 32, 1)).astype(np.uint8)
