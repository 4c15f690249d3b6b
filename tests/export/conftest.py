"""Small networks with range and decision, and their exported files."""

import numpy as np
import pytest

from pneumonia.export.convert import convert_model
from pneumonia.model.averaging import average_networks
from pneumonia.model.lineage import weights_digest
from pneumonia.model.networks import make_network
from pneumonia.predictor.describing import fit_image_range
from pneumonia.predictor.predictor import Predictor

SIZE = 32


def spread_out(network, pixels):
    """Scale each layer as a training would: values of about 1, and probabilities on both sides of 0.5."""
    import keras

    rng = np.random.default_rng(5)
    for layer in network.layers:
        kernel = getattr(layer, "pointwise_kernel", getattr(layer, "kernel", None))
        if kernel is not None:
            kernel.assign(kernel / np.asarray(keras.Model(network.input, layer.output)(pixels)).std())
        if isinstance(layer, keras.layers.BatchNormalization):
            seen = np.asarray(keras.Model(network.input, layer.input)(pixels))
            axes = tuple(range(seen.ndim - 1))
            scale, shift = rng.uniform(0.7, 1.3, seen.shape[-1]), rng.normal(0, 0.2, seen.shape[-1])
            layer.set_weights([scale, shift, seen.mean(axis=axes), seen.var(axis=axes)])
    head = next(layer for layer in network.layers[::-1] if hasattr(layer, "kernel"))
    pooled = np.asarray(keras.Model(network.input, head.input)(pixels))
    kernel = head.get_weights()[0]
    kernel = kernel * 2 / (pooled @ kernel).std(axis=0).max()
    head.set_weights([kernel, -(pooled @ kernel).mean(axis=0)])
    return network


@pytest.fixture(scope="session")
def pixels(tiny_store):
    """The forty tiny images, uint8 [40, 32, 32, 1]."""
    return tiny_store.read(np.arange(40))


@pytest.fixture(scope="session")
def make(pixels):
    """Make a model: `make("residual_cnn", 2, mirror=True)` averages two networks and mirror images."""

    def make(name, members=1, *, etiologies=0, mirror=False):
        networks = [make_network(name, SIZE, etiologies=etiologies, seed=seed) for seed in range(members)]
        for number, network in enumerate(networks):
            network.name = f"{name}_{number}"
            spread_out(network, pixels)
        return average_networks(networks, mirror=mirror)

    return make


@pytest.fixture(scope="session")
def zoomed(tmp_path_factory):
    """Average a network over central crops, saved and loaded, as earlier versions of this project did."""

    def zoomed(network, *, whole):
        import keras

        image = keras.Input((SIZE, SIZE, 1), name="image")
        inner = keras.ops.image.resize(keras.ops.cast(image[:, 4:-4, 4:-4], "float32"), (SIZE, SIZE))
        answers = zip(*(network(view) for view in ([inner, image] if whole else [inner])), strict=True)
        means = [keras.layers.Average()(list(of_one)) if whole else of_one[0] for of_one in answers]
        path = tmp_path_factory.mktemp("zoomed") / "zoomed.keras"
        keras.Model(image, means, name="average").save(path)
        return keras.models.load_model(path)

    return zoomed


@pytest.fixture(scope="session")
def predictor_of(tiny_manifest, tiny_pixels, evaluation_parameters):
    """Put a model together with a range and a decision of its own."""

    def predictor_of(model):
        digest = weights_digest(model)
        lineage = {**tiny_pixels[1], "class_names": ["NORMAL", "PNEUMONIA"], "weights_sha256": digest}
        decision = {
            "weights_sha256": digest,
            "threshold": 0.5,
            "threshold_on": "calibrated",
            "calibration": {"method": "logistic", "prevalence": 0.5, "slope": 0.5, "intercept": 0.1},
        }
        image_range = fit_image_range(model, tiny_manifest, *tiny_pixels, evaluation_parameters)
        return Predictor(model, lineage, decision, image_range, "v1")

    return predictor_of


@pytest.fixture(scope="session")
def predictor(make, predictor_of):
    """A network that tells two etiologies apart, over an image and its mirror image."""
    return predictor_of(make("residual_cnn", etiologies=2, mirror=True))


@pytest.fixture(scope="session")
def files(predictor):
    """The exported files of the predictor."""
    return convert_model(predictor)
