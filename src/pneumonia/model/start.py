"""The weights that a training starts from, where it does not start from random ones."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pneumonia.base.errors import UserError
from pneumonia.base.files import VERSION
from pneumonia.model.networks import HEAD, IMAGENET, MODEL_SUFFIX, NETWORKS, NO_WEIGHTS

if TYPE_CHECKING:
    import keras


def find_start(weights: str, trained_models: Mapping[str, Path] | None) -> str:
    """Return `model.weights`, and in place of the version of a model its file.

    Args:
        weights: As `model.weights` is set.
        trained_models: Files of models by version; None where only paths are known.

    Raises:
        UserError: If there is no such version, or no such file.
    """
    if VERSION.fullmatch(weights):
        if trained_models is None:
            raise UserError(f"model.weights is the version {weights}: name the path of that model here.")
        if weights not in trained_models:
            newest = ", ".join(sorted(trained_models, reverse=True)[:3]) or "none"
            raise UserError(
                f"model.weights is {weights}, but there is no such version of pneumonia_model. The newest: {newest}."
            )
        return str(trained_models[weights])
    check_weights_file(weights)
    return weights


def load_pretrained(model: "keras.Model", weights: str) -> None:
    """Put the weights of an earlier training into a network.

    Args:
        model: Made by `make_network`; changed in place. Only a network that is registered with an `application` takes
            other weights than those of a model of this project.
        weights: The path of a `.keras` file of this project, or `imagenet`, which Keras downloads once, or the path of
            a `.weights.h5` or `.h5` file of the same network without its top.

    Raises:
        UserError: If there is no internet connection, no such file, or the file has other weights.
    """
    check_weights_file(weights)
    if weights.endswith(MODEL_SUFFIX):
        _start_from(model, Path(weights))
    else:
        _load_application(model, weights)


def check_weights_file(weights: str) -> None:
    """Refuse `model.weights` that name a file which is not there.

    Raises:
        UserError: Naming it.
    """
    if weights not in (NO_WEIGHTS, IMAGENET) and not Path(weights).is_file():
        raise UserError(
            f"model.weights is {weights}, but there is no such file. Set it to none, imagenet, or the version or the "
            "path of a model."
        )


def _start_from(model: "keras.Model", path: Path) -> None:
    """Take over the weights of a model of this project, of several networks the first one's.

    Those of the last layer only if it has as many outputs.
    """
    start = read_start(path)
    ours, theirs = _weights_below_head(model), start.below_head
    if [weight.shape for weight in ours] != [weight.shape for weight in theirs]:
        raise UserError(
            f"model.weights is {path}, which is not a model of the network {model.name}. Set model.name to its network."
        )
    if [weight.shape for weight in model.weights] == [weight.shape for weight in start.network]:
        ours, theirs = model.weights, start.network
    for mine, other in zip(ours, theirs, strict=True):
        mine.assign(other)


class StartWeights(NamedTuple):
    """The weights of a model that a training starts from, each in its order.

    Attributes:
        model: All of them.
        network: Those of its first network.
        below_head: Those of that network without its last layers.
    """

    model: list[np.ndarray]
    network: list[np.ndarray]
    below_head: list[np.ndarray]


def read_start(path: Path) -> StartWeights:
    """Read the model that a training starts from: once, however many networks start from it.

    Raises:
        UserError: If the file is not a complete model.
    """
    return _read_start(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read_start(path: Path, written: int) -> StartWeights:
    from pneumonia.model.predict import list_networks, load_model

    try:
        model = load_model(path)
    except UserError as error:
        raise UserError(
            f"model.weights is {path}, which is not a complete model of this project. Set it to another one."
        ) from error
    network = next(iter(list_networks(model)), None)
    if network is None:
        return StartWeights(model.get_weights(), [], [])
    below = [weight.numpy() for weight in _weights_below_head(network)]
    return StartWeights(model.get_weights(), network.get_weights(), below)


def version_of(weights: str) -> str | None:
    """Return the version that `model.weights` names, itself or by the path of its file; None where it names none."""
    return next((name for name in (weights, Path(weights).parent.name) if VERSION.fullmatch(name)), None)


def _weights_below_head(network: "keras.Model") -> "list[keras.Variable]":
    return [weight for layer in network.layers if layer.name not in HEAD for weight in layer.weights]


def _load_application(model: "keras.Model", weights: str) -> None:
    """Put the weights of `keras.applications` into all layers but the last."""
    import keras

    application = NETWORKS[model.name].application
    make_body = getattr(keras.applications, application)
    try:
        body = make_body(include_top=False, weights=weights, input_shape=(*model.input_shape[1:3], 3))
    except (OSError, ValueError) as error:
        advice = (
            "They are downloaded from the network once; without one, put the file there and set model.weights to its "
            "path."
            if weights == IMAGENET
            else f"It must be a weights file of {application} without its top."
        )
        raise UserError(f"The weights {weights} cannot be loaded ({error}). {advice}") from error
    for mine, theirs in zip(_weights_below_head(model), body.weights, strict=True):
        mine.assign(theirs)
