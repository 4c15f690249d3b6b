"""A network that trains in no time, for tests here and in the processes that they start."""

NAME = "tiny_cnn"


def register_tiny_network():
    """Register one convolution as a network, unless it is registered, and return its name."""
    from pneumonia.model.networks import NETWORKS, network

    if NAME not in NETWORKS:

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

    return NAME


def run_tiny_task(job):
    """Do a job of a study whose recipes name the tiny network, wherever it is sent."""
    from pneumonia.study.task import run_task

    register_tiny_network()
    return run_task(job)
