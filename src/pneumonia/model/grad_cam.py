"""Where a network looks: Grad-CAM.

Grad-CAM (Selvaraju et al., ICCV 2017) weighs each channel of the last convolutional map by the mean gradient of the
class's logit, adds the channels up and keeps what is positive. It is coarse: one cell of the map covers many pixels. It
shows what raised the network's probability, not what a radiologist would call the finding.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pneumonia.base.annotations import Model
from pneumonia.model.predict import FEATURES, list_networks


def grad_cam(model: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Map what raises the probability of the positive class.

    Args:
        model: A network whose layer `features` is its last convolutional map and whose last layer with weights is
            dense, with a sigmoid or a softmax whose first column is the negative class; or an average of such networks.
        images: Images, uint8 `[n, size, size, 1]`.

    Returns:
        Maps at the images' size, `[n, size, size]`, from 0 to 1, the peak of each at 1. A map is 0 everywhere if
        nothing supports the positive class.
    """
    coarse = np.mean([_coarse_map(member, images) for member in list_networks(model)], axis=0)
    return np.stack([_enlarge(one, images.shape[1]) for one in coarse])


def _coarse_map(network: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the map of one network at the size of its features, `[n, h, w]`, the peak of each at 1 (or all 0)."""
    import keras
    import tensorflow as tf

    last = next(layer for layer in network.layers[::-1] if hasattr(layer, "kernel"))
    probe = keras.Model(network.input, [network.get_layer(FEATURES).output, last.input])
    with tf.GradientTape() as tape:
        features, pooled = probe(images, training=False)
        # The log-odds, because the gradient of the probability vanishes where the network is sure.
        logit = _log_odds(tf.matmul(pooled, last.kernel) + last.bias)
    weights = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)


def _log_odds(logits: Any) -> Any:
    """Return the log-odds of the positive class, `[n, 1]`, from one logit or from those of all classes."""
    import tensorflow as tf

    if logits.shape[1] == 1:
        return logits
    return tf.reduce_logsumexp(logits[:, 1:], axis=1, keepdims=True) - logits[:, :1]


def _enlarge(coarse: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Enlarge one map smoothly, `[size, size]`, and keep it within 0 and 1."""
    from PIL import Image

    enlarged = Image.fromarray(coarse.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(enlarged), 0, 1)
