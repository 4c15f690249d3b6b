"""The weights that a training starts from."""

import re
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.averaging import average_networks
from pneumonia.model.networks import make_network
from pneumonia.model.start import find_start, load_pretrained

VERSIONS = [f"2026-01-0{day}T00.00.00.000Z" for day in range(1, 5)]


def test_a_version_stands_for_the_file_of_its_model(tmp_path: Path) -> None:
    models = {version: tmp_path / version / "pneumonia_model.keras" for version in VERSIONS}
    assert find_start(VERSIONS[1], models) == str(models[VERSIONS[1]])
    assert find_start("none", models) == "none"
    (tmp_path / "mine.keras").touch()
    assert find_start(str(tmp_path / "mine.keras"), models) == str(tmp_path / "mine.keras")


@pytest.mark.parametrize(
    ("weights", "models", "message"),
    [
        ("2026-02-01T00.00.00.000Z", VERSIONS, f"The newest: {', '.join(VERSIONS[:0:-1])}."),
        (VERSIONS[0], [], "The newest: none."),
        (VERSIONS[0], None, "name the path of that model here"),
        ("gone.keras", VERSIONS, "there is no such file"),
        ("2026-02-01", VERSIONS, "there is no such file. Set it to none, imagenet, or the version or the path"),
    ],
)
def test_a_start_that_does_not_exist_is_refused(weights: str, models: Sequence[str] | None, message: str) -> None:
    files = None if models is None else {version: Path(version) for version in models}
    with pytest.raises(UserError, match=re.escape(message)):
        find_start(weights, files)


def test_pretrained_weights_are_read_from_a_file(tmp_path: Path) -> None:
    keras.utils.set_random_seed(5)
    body = keras.applications.EfficientNetV2B0(include_top=False, weights=None, input_shape=(64, 64, 3))
    body.save_weights(tmp_path / "body.weights.h5")
    network = make_network("efficientnetv2_b0", 64)
    load_pretrained(network, str(tmp_path / "body.weights.h5"))

    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1)).astype(np.uint8)
    probe = keras.Model(network.input, network.get_layer("features").output)
    expected = body.predict(np.repeat(images, 3, axis=-1).astype(np.float32), verbose=0)
    np.testing.assert_allclose(probe.predict(images, verbose=0), expected, rtol=1e-3, atol=1e-4)


def test_pretrained_weights_that_are_not_there_or_not_of_the_network_are_refused(tmp_path: Path) -> None:
    network = make_network("efficientnetv2_b0", 64)
    with pytest.raises(UserError, match="no such file"):
        load_pretrained(network, str(tmp_path / "none.weights.h5"))
    make_network("residual_cnn", 64).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(UserError, match="must be a weights file of EfficientNetV2B0"):
        load_pretrained(network, str(tmp_path / "other.weights.h5"))


@pytest.mark.parametrize(("etiologies", "with_head"), [(2, True), (0, False)])
def test_a_network_starts_from_a_model_of_the_project(tmp_path: Path, etiologies: int, with_head: bool) -> None:
    earlier = make_network("residual_cnn", 64, etiologies=2, seed=1)
    average_networks([earlier], mirror=True).save(tmp_path / "model.keras")
    network = make_network("residual_cnn", 32, etiologies=etiologies, seed=2)
    load_pretrained(network, str(tmp_path / "model.keras"))

    pairs = list(zip(network.weights, earlier.weights, strict=True))
    same = [mine.shape == other.shape and np.array_equal(mine, other) for mine, other in pairs]
    assert same == [True] * (len(same) - 2) + [with_head] * 2


def test_a_model_of_another_network_is_no_start(tmp_path: Path) -> None:
    make_network("separable_cnn", 64).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"not a model of the network residual_cnn\. Set model\.name"):
        load_pretrained(make_network("residual_cnn", 64), str(tmp_path / "model.keras"))


def test_a_damaged_model_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"^model\.weights is .*model\.keras, which is not a complete model .* another"):
        load_pretrained(make_network("residual_cnn", 64), str(tmp_path / "model.keras"))


def test_weights_that_cannot_be_downloaded_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("URL fetch failure: no network")

    network = make_network("efficientnetv2_b0", 64)
    monkeypatch.setattr(keras.applications, "EfficientNetV2B0", offline)
    with pytest.raises(UserError, match=r"imagenet cannot be loaded .*no network.*set model\.weights to its path"):
        load_pretrained(network, "imagenet")
