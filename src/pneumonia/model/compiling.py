"""What a network gets for its training: fused batch normalisation, optimizer, learning rate, loss and metrics."""

from typing import Any

import keras
import tensorflow as tf

from pneumonia.base.parameters import TrainingParameters
from pneumonia.model.hardware import Hardware
from pneumonia.model.recipe import Recipe

# Share of the learning rate that is left at the end of the cosine.
FINAL_LEARNING_RATE = 0.01
MOST_STEPS_PER_CALL = 8
PROBABILITY = "probability"  # the output that the metrics judge


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` as one TensorFlow operation, faster when training on batches of maps.

    Keras 3 composes it from single operations on TensorFlow, in float32 even where the network computes in bfloat16,
    which is slower (`benchmarks/training.py`). The result is the same up to rounding (Ioffe & Szegedy 2015, "Batch
    normalization"). Everything else (inference, other shapes, masks, renormalisation) is left to Keras.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise maps `[n, height, width, channels]` by their means and variances, and keep running ones."""
        are_maps = len(inputs.shape) == 4 and self.axis in (-1, 3) and mask is None
        is_plain = self.scale and self.center and not self.renorm
        if not (training and self.trainable and are_maps and is_plain):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            is_training=True,
        )
        # The operation gives the unbiased variance; Keras keeps the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        variance *= (count - 1) / count
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


def fuse_normalisation(network: keras.Model) -> keras.Model:
    """Return a network like the given one, with the same weights, whose batch normalisation is fused in training."""
    fused = keras.models.clone_model(network, clone_function=_clone)
    fused.set_weights(network.get_weights())
    return fused


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind = FusedBatchNormalization if type(layer) is keras.layers.BatchNormalization else type(layer)
    return kind.from_config(layer.get_config())


def compile_network(
    network: keras.Model, parameters: TrainingParameters, steps_per_epoch: int, hardware: Hardware
) -> None:
    """Give a network its optimizer, loss and metrics."""
    metrics: list[Any] = make_metrics()
    is_alone = len(network.outputs) == 1
    loss = make_loss(parameters, learns_etiologies=not is_alone)
    network.compile(
        optimizer=make_optimizer(parameters, steps_per_epoch),
        loss=loss if is_alone else [None, loss],
        metrics=metrics if is_alone else [metrics, []],
        jit_compile=hardware.jit_compile,
        steps_per_execution=steps_per_call(steps_per_epoch),
    )


def make_optimizer(parameters: TrainingParameters, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov & Hutter 2019), which also keeps a moving average of the weights.

    The average is what is validated and saved. Its momentum is that of `weight_averaging`.
    """
    average = parameters.weight_averaging
    optimizer = keras.optimizers.AdamW(
        make_schedule(parameters, steps_per_epoch),
        weight_decay=parameters.weight_decay,
        global_clipnorm=parameters.gradient_clip or None,
        use_ema=average > 0,
        ema_momentum=average or 0.99,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def make_loss(parameters: TrainingParameters, learns_etiologies: bool) -> keras.losses.Loss:
    """Return the cross-entropy with label smoothing, of the etiologies if the network distinguishes them."""
    kind = keras.losses.CategoricalCrossentropy if learns_etiologies else keras.losses.BinaryCrossentropy
    return kind(label_smoothing=parameters.label_smoothing)


def describe_compilation(recipe: Recipe, steps_per_epoch: int) -> dict[str, str]:
    """Describe optimizer, learning rate, loss and metrics of a recipe with what Keras says of them."""
    training = recipe.training
    return {
        "optimizer": _say(make_optimizer(training, steps_per_epoch), left_out=("learning_rate",)),
        "learning_rate": _say(make_schedule(training, steps_per_epoch)),
        "loss": _say(make_loss(training, bool(recipe.etiologies))),
        "metrics": ", ".join(metric.name for metric in make_metrics()),
        "steps_per_epoch": str(steps_per_epoch),
    }


def _say(part: Any, left_out: tuple[str, ...] = ()) -> str:
    """Name a part of Keras with the arguments that are set."""
    given = {name: value for name, value in part.get_config().items() if name not in ("name", "dtype", *left_out)}
    arguments = ", ".join(f"{name}={value}" for name, value in given.items() if value not in (None, False))
    return f"{type(part).__name__}({arguments})"


def steps_per_call(steps_per_epoch: int) -> int:
    """Return the number of steps that TensorFlow makes per call: the more, the less time Python takes.

    An epoch is a whole number of calls; Keras would complete the last one with batches of the next epoch. On several
    devices it is one, because Keras' loop over steps ends there in "You must feed a value for placeholder tensor".
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return 1
    return max(steps for steps in range(1, MOST_STEPS_PER_CALL + 1) if steps_per_epoch % steps == 0)


def make_metrics() -> list[keras.metrics.Metric]:
    """Return the metrics that are measured during training.

    The AUC uses 1,000 thresholds: with 200, Keras' default, it is off by up to 0.003 if most scores are near 0 or 1.
    """
    return [
        keras.metrics.AUC(num_thresholds=1000, name="auc"),
        keras.metrics.BinaryCrossentropy(name="log_loss"),
        keras.metrics.BinaryAccuracy(name="accuracy"),
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
    ]


def plain_names(logs: dict[str, float]) -> dict[str, float]:
    """Return loss and metrics under their own names: of several outputs Keras puts each one's name before them."""
    return {
        name.removeprefix(f"{PROBABILITY}_"): float(value)
        for name, value in logs.items()
        if not name.startswith("etiology_")  # repeats the loss
    }


def make_schedule(
    parameters: TrainingParameters, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate by step: a linear warm-up from 1% of the peak, then its decay."""
    warmup_steps = round(parameters.warmup_epochs * steps_per_epoch)
    peak = parameters.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 100 if warmup_steps else peak,
        decay_steps=max(parameters.epochs * steps_per_epoch - warmup_steps, 1),
        alpha=FINAL_LEARNING_RATE if parameters.decay == "cosine" else 1.0,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
