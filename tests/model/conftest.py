import pytest


@pytest.fixture(scope="session")
def tiny_cnn():
    """The name of a network that is registered for tests: one convolution, so that it trains in no time."""
    from pneumonia.model.networks import NETWORKS, network

    if "tiny_cnn" not in NETWORKS:

        @network()
        def tiny_cnn(image, seeds):
            import keras
            from keras import layers

            weights = keras.initializers.HeNormal(seed=next(seeds))
            x = layers.Conv2D(4, 5, 4, use_bias=False, kernel_initializer=weights)(
                keras.ops.cast(image, "float32") / 255
            )
            x = layers.ReLU(name="features")(layers.BatchNormalization(momentum=0.97)(x))
            return layers.Dropout(0.3, seed=next(seeds))(layers.GlobalAveragePooling2D(name="pooled")(x))

    return "tiny_cnn"
