"""The project's two networks, in the `keras` API alone, so that they run on any Keras backend.

Both take the pixel store's images, uint8 `[n, size, size, 1]` (float accepted), standardise them inside, and
give the probability of the positive class, float32 `[n, 1]`. A saved model needs no code of ours to load:
what is not a layer is `keras.ops` on symbolic tensors. The layer `features` holds the last convolutional
maps, which Grad-CAM reads.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

NETWORKS = ("residual_cnn", "separable_cnn")

# Stages of the default network: channels (each stage halves the side) and blocks a stage.
WIDTHS = (48, 96, 192)
BLOCKS = (2, 2, 2)
EXPANSION = 3


def make_network(name: str, image_size: int, *, dropout: float = 0.3, seed: int = 0) -> "keras.Model":
    """Build a network with fresh weights.

    Args:
        name: `residual_cnn` (the default) or `separable_cnn` (the course notes' layers).
        image_size: Side of the images, pixels; 32 or more.
        dropout: Share of pooled features dropped in training, `residual_cnn` only.
        seed: Of the initial weights and of dropout: the same seed gives the same network.

    Returns:
        A model from uint8 `[n, image_size, image_size, 1]` to float32 `[n, 1]`, not compiled.

    Raises:
        ValueError: For an unknown name or a side under 32.
    """
    import keras

    if name not in NETWORKS:
        raise ValueError(f"model.name is {name!r}; known networks: {', '.join(NETWORKS)}")
    if image_size < 32:
        raise ValueError(f"image_size is {image_size}; the networks halve the image five times and need 32 or more")
    # One seed a layer: a seed shared by layers of one shape would give them the same weights.
    seeds = iter(np.random.default_rng(seed).integers(0, 2**31 - 1, 1000).tolist())
    image = keras.Input((image_size, image_size, 1), name="image")
    if name == "separable_cnn":
        return keras.Model(image, _separable_cnn(image, seeds), name=name)
    return keras.Model(image, _residual_cnn(image, dropout, seeds), name=name)


def _residual_cnn(image: "KerasTensor", dropout: float, seeds: Iterator[int]) -> "KerasTensor":
    """Residual blocks of a depthwise 5x5 and two 1x1 convolutions, after "A ConvNet for the 2020s" (2022).

    Batch normalisation and ReLU stand in for the paper's layer normalisation and GELU: both are cheaper on
    CPUs, and nearly all multiplications are in 1x1 convolutions, which CPUs do at full rate.
    """
    from keras import layers

    x = _standardised(image)
    for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        side = 4 if stage == 0 else 2
        x = layers.Conv2D(width, side, side, padding="same", use_bias=False, kernel_initializer=_uniform(seeds))(x)
        x = _normalised(x)
        for _ in range(blocks):
            x = layers.Add()([x, _block(x, width, seeds)])
    x = layers.Activation("relu", name="features")(_normalised(x))
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    x = layers.Dropout(dropout, seed=next(seeds))(x)
    return _probability(x, seeds)


def _block(x: "KerasTensor", width: int, seeds: Iterator[int]) -> "KerasTensor":
    from keras import layers

    x = layers.DepthwiseConv2D(5, padding="same", use_bias=False, depthwise_initializer=_uniform(seeds))(x)
    x = _normalised(x)
    x = layers.Conv2D(EXPANSION * width, 1, activation="relu", kernel_initializer=_uniform(seeds))(x)
    return layers.Conv2D(width, 1, kernel_initializer=_uniform(seeds))(x)


def _standardised(image: "KerasTensor") -> "KerasTensor":
    """Mean 0 and standard deviation 1 for each image: a scanner's brightness and contrast cancel out."""
    from keras import ops

    x = ops.cast(image, "float32")
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    spread = ops.sqrt(ops.mean(ops.square(x - mean), axis=(1, 2, 3), keepdims=True))
    return (x - mean) / (spread + 1.0)  # one grey level keeps a blank image finite


def _separable_cnn(image: "KerasTensor", seeds: Iterator[int]) -> "KerasTensor":
    """The course notes' layers, as they are: three equal channels, x/255, 3.5 million weights at 180 px."""
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
    return _probability(x, seeds)


def _probability(x: "KerasTensor", seeds: Iterator[int]) -> "KerasTensor":
    from keras import layers

    # float32 also under a mixed-precision policy: a 16-bit sigmoid saturates at 0.998.
    return layers.Dense(
        1, activation="sigmoid", kernel_initializer=_uniform(seeds), dtype="float32", name="probability"
    )(x)


def _normalised(x: "KerasTensor") -> "KerasTensor":
    from keras import layers

    # 0.97: the running figures must follow within the few hundred steps of a short training.
    return layers.BatchNormalization(momentum=0.97)(x)


def _uniform(seeds: Iterator[int]) -> "keras.Initializer":
    import keras

    return keras.initializers.GlorotUniform(seed=next(seeds))
