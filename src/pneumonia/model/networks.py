"""The networks, using only the `keras` API, so that they run on any Keras backend. A decorator registers each.

All take the pixel store's images, uint8 `[n, size, size, 1]` (float accepted), and standardise them inside. The first
output is the probability of the positive class, float32 `[n, 1]`. If a network distinguishes etiologies, a second
output, `etiology`, float32 `[n, 1 + k]`, holds the probabilities of the negative class and of each etiology; they add
up to 1. A saved model loads without our code: whatever is not a layer is `keras.ops` on symbolic tensors. The layer
`features` contains the last convolutional maps, which Grad-CAM reads.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumonia.base.errors import UserError

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

# From images to the input of the last, dense layer. The seeds are for weights and dropout, one per layer.
Body = Callable[["KerasTensor", Iterator[int]], "KerasTensor"]

NO_WEIGHTS, IMAGENET = "none", "imagenet"
MODEL_SUFFIX = ".keras"
LEAST_SIZE = 32  # the networks halve the image five times

# Stages of the default network: channels (each stage after the first halves the side) and residual blocks per stage.
WIDTHS = (32, 64, 128)
BLOCKS = 2
HEAD = ("probability", "etiology")  # the last layers, which are also the names of the outputs
STEM = 4  # side, in pixels, of the square that the first convolution turns into one cell


@dataclass(frozen=True)
class Network:
    """A registered network.

    Attributes:
        body: Builds all but the last layer.
        any_size: Whether the same weights take images of any size.
        application: The class of `keras.applications` whose weights it can start from; empty if none.
    """

    body: Body
    any_size: bool = True
    application: str = ""


NETWORKS: dict[str, Network] = {}


def network(*, any_size: bool = True, application: str = "") -> Callable[[Body], Body]:
    """Register a network under the name of the function that builds it; `model.name` then accepts that name."""

    def register(body: Body) -> Body:
        NETWORKS[body.__name__] = Network(body, any_size, application)
        return body

    return register


def make_network(name: str, image_size: int, *, etiologies: int = 0, seed: int = 0) -> "keras.Model":
    """Build a network with fresh weights.

    Args:
        name: One of `NETWORKS`.
        image_size: Side of the images, pixels.
        etiologies: How many kinds of positives the network distinguishes; 0: none, and one output.
        seed: Of the initial weights and of dropout: the same seed gives the same network.

    Returns:
        A model from uint8 `[n, image_size, image_size, 1]` to float32 `[n, 1]` and, with etiologies, float32
        `[n, 1 + etiologies]`; not compiled.

    Raises:
        UserError: For an unknown name or a side under 32.
    """
    import keras

    check_name(name)
    if image_size < LEAST_SIZE:
        raise UserError(f"Images of {image_size} px are too small for the networks, which need {LEAST_SIZE} or more.")
    # One seed per layer: a seed shared by layers of one shape would give them the same weights.
    seeds = iter(np.random.default_rng(seed).integers(0, 2**31 - 1, 1000).tolist())
    image = keras.Input((image_size, image_size, 1), name="image")
    pooled = NETWORKS[name].body(image, seeds)
    return keras.Model(image, _head(pooled, etiologies, seeds), name=name)


def check_name(name: str) -> None:
    """Refuse a network that is not registered.

    Raises:
        UserError: Naming those that are.
    """
    if name not in NETWORKS:
        raise UserError(f"model.name is {name!r}; known networks: {', '.join(NETWORKS)}.")


@network()
def residual_cnn(image: "KerasTensor", seeds: Iterator[int]) -> "KerasTensor":
    """The default: a small plain residual network of 3x3 convolutions (He et al. 2016), 0.7 million weights."""
    from keras import layers

    x = _convolved(_standardised(image), WIDTHS[0], STEM, seeds, strides=STEM)
    x = layers.ReLU()(x)
    for stage, width in enumerate(WIDTHS):
        for number in range(BLOCKS):
            is_last = stage == len(WIDTHS) - 1 and number == BLOCKS - 1
            x = _residual_block(x, width, 2 if stage and not number else 1, seeds, "features" if is_last else None)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return layers.Dropout(0.3, seed=next(seeds))(x)


def _residual_block(
    x: "KerasTensor", width: int, strides: int, seeds: Iterator[int], name: str | None = None
) -> "KerasTensor":
    from keras import layers

    y = layers.ReLU()(_convolved(x, width, 3, seeds, strides=strides))
    y = _convolved(y, width, 3, seeds)
    if strides > 1:
        x = _convolved(x, width, 1, seeds, strides=strides)
    return layers.Activation("relu", name=name)(layers.Add()([x, y]))


def _convolved(x: "KerasTensor", width: int, side: int, seeds: Iterator[int], strides: int = 1) -> "KerasTensor":
    """Convolution and batch normalisation."""
    import keras
    from keras import layers

    weights = keras.initializers.HeNormal(seed=next(seeds))
    x = layers.Conv2D(width, side, strides, padding="same", use_bias=False, kernel_initializer=weights)(x)
    # 0.97, so that the running statistics keep up within the few hundred steps of a short training.
    return layers.BatchNormalization(momentum=0.97)(x)


def _standardised(image: "KerasTensor") -> "KerasTensor":
    """Mean 0 and standard deviation 1 for each image: a scanner's brightness and contrast cancel out."""
    from keras import ops

    x = ops.cast(image, "float32")
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    spread = ops.sqrt(ops.mean(ops.square(x - mean), axis=(1, 2, 3), keepdims=True))
    return (x - mean) / (spread + 1.0)  # the added grey level keeps a blank image finite


@network(any_size=False)
def separable_cnn(image: "KerasTensor", seeds: Iterator[int]) -> "KerasTensor":
    """The course notes' layers, unchanged: three equal channels, x/255, 3.5 million weights at 180 px."""
    from keras import layers, ops

    x = ops.repeat(ops.cast(image, "float32") / 255.0, 3, axis=-1)
    for _ in range(2):
        x = layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer=_uniform(seeds))(x)
    x = layers.MaxPooling2D()(x)
    for width, dropout in ((32, 0.0), (64, 0.0), (128, 0.2), (256, 0.2)):
        for _ in range(2):
            x = layers.SeparableConv2D(
                width,
                3,
                padding="same",
                activation="relu",
                depthwise_initializer=_uniform(seeds),
                pointwise_initializer=_uniform(seeds),
            )(x)
        x = layers.BatchNormalization(name="features" if width == 256 else None)(x)
        x = layers.MaxPooling2D()(x)
        if dropout:
            x = layers.Dropout(dropout, seed=next(seeds))(x)
    x = layers.Flatten()(x)
    for units, dropout in ((512, 0.7), (128, 0.5), (64, 0.3)):
        x = layers.Dense(units, activation="relu", kernel_initializer=_uniform(seeds))(x)
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(dropout, seed=next(seeds))(x)
    return x


@network(application="EfficientNetV2B0")
def efficientnetv2_b0(image: "KerasTensor", seeds: Iterator[int]) -> "KerasTensor":
    """EfficientNetV2-B0 of `keras.applications`, 5.9 million weights; meant for `model.weights=imagenet`."""
    import keras
    from keras import layers, ops

    x = ops.repeat(ops.cast(image, "float32"), 3, axis=-1)
    # With include_preprocessing it takes 0..255 and scales inside.
    x = keras.applications.EfficientNetV2B0(include_top=False, weights=None, input_tensor=x).output
    x = layers.Activation("linear", name="features")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return layers.Dropout(0.3, seed=next(seeds))(x)


def _head(pooled: "KerasTensor", etiologies: int, seeds: Iterator[int]) -> "KerasTensor | list[KerasTensor]":
    """The last layer. float32 also under a mixed-precision policy: a 16-bit sigmoid saturates at 0.998."""
    from keras import layers, ops

    if not etiologies:
        dense = layers.Dense(
            1, activation="sigmoid", kernel_initializer=_uniform(seeds), dtype="float32", name="probability"
        )
        return dense(pooled)
    dense = layers.Dense(
        1 + etiologies, activation="softmax", kernel_initializer=_uniform(seeds), dtype="float32", name="etiology"
    )
    shares = dense(pooled)
    probability = layers.Activation("linear", dtype="float32", name="probability")
    return [probability(ops.sum(shares[:, 1:], axis=1, keepdims=True)), shares]


def _uniform(seeds: Iterator[int]) -> "keras.Initializer":
    import keras

    return keras.initializers.GlorotUniform(seed=next(seeds))
