import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters, TrainingParameters
from pneumonia.model.averaging import (
    AveragedCopy,
    averaged_weights,
    measure_statistics,
    plan_members,
    sample_statistics_batches,
)
from pneumonia.model.compiling import compile_network
from pneumonia.model.hardware import Hardware
from pneumonia.model.recipe import Recipe

CPU = Hardware("cpu", (), "float32", False, "a test")


def test_averaged_weights_follow_the_formula(default_parameters):
    parameters = TrainingParameters(
        **{**default_parameters["training"], "weight_averaging": 0.9, "warmup_epochs": 0.0, "learning_rate": 0.1}
    )
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    compile_network(network, parameters, 10, CPU)
    x, y = np.ones((4, 1), "float32"), np.ones((4, 1), "float32")
    seen = []
    for _ in range(3):
        network.train_on_batch(x, y)
        seen.append(network.get_weights()[0].item())

    # The first step sets the average, each later one moves it by a tenth.
    expected = seen[0]
    for weight in seen[1:]:
        expected = 0.9 * expected + 0.1 * weight
    assert averaged_weights(network)[0].item() == pytest.approx(expected, rel=1e-5)


def normalised(start=None):
    """A network of one batch normalisation, with dropout before it if `start` is given."""
    layers = [keras.Input((1,))] + ([keras.layers.Dropout(0.5, seed=start)] if start is not None else [])
    return keras.Sequential([*layers, keras.layers.BatchNormalization(momentum=0.97)])


def test_statistics_are_the_means_over_batches():
    network = normalised()
    # Means 1 and 4, variances 1 and 4.
    batches = [tf.constant([[0.0], [2.0]]), tf.constant([[2.0], [6.0]])]
    measure_statistics(network, batches, tf.function(lambda x: network(x, training=True)))

    layer = network.layers[-1]
    assert layer.moving_mean.numpy().tolist() == [2.5]
    assert layer.moving_variance.numpy().tolist() == [2.5]
    assert layer.momentum == 0.97


def test_statistics_of_a_network_inside_a_network_are_measured_too():
    inner = normalised()
    outer = keras.Sequential([keras.Input((1,)), inner])
    measure_statistics(outer, [tf.constant([[0.0], [2.0]])], tf.function(lambda x: outer(x, training=True)))

    assert inner.layers[-1].moving_mean.numpy().tolist() == [1.0]


def test_a_copy_follows_twice_to_the_same_statistics():
    network = normalised(start=1)
    network.compile(keras.optimizers.SGD(), "mse")
    copy = AveragedCopy(normalised(start=1), None, [tf.constant(np.arange(64.0)[:, None])])
    copy.follow(network)
    first = copy.network.get_weights()
    copy.follow(network)

    for a, b in zip(first, copy.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_batches_the_networks_own_statistics_are_kept():
    network = normalised()
    network.compile(keras.optimizers.SGD(), "mse")
    network.layers[-1].moving_mean.assign([7.0])
    copy = AveragedCopy(normalised(), None, [])
    copy.follow(network)

    assert copy.network.layers[-1].moving_mean.numpy().tolist() == [7.0]


def test_every_other_batch_for_the_statistics_is_augmented(tiny_store, tiny_manifest, default_parameters):
    train = tiny_manifest[tiny_manifest["split"] == "train"]
    training = {**default_parameters["training"], "batch_size": 8}
    given = Parameters.model_validate({**default_parameters, "training": training})
    batches = sample_statistics_batches(
        tiny_store, train, Recipe(inputs=given.inputs, model=given.model, training=given.training, class_weights={})
    )

    stored = {image.tobytes() for image in tiny_store.read(tiny_store.rows(train["sha256"]))}
    as_stored = [sum(image.tobytes() in stored for image in batch.numpy()) for batch in batches]
    assert as_stored[0] == as_stored[2] == 8
    assert as_stored[1] < 8


@pytest.fixture
def manifest():
    """12 groups of 3 images in train, a third of them NORMAL; 4 groups in val, 2 in test."""
    rows = [
        {
            "path": f"{split}/{group}_{image}.png",
            "label": "PNEUMONIA" if group % 3 else "NORMAL",
            "target": int(group % 3 > 0),
            "group": f"{split}{group}",
            "split": split,
        }
        for split, groups in (("train", 12), ("val", 4), ("test", 2))
        for group in range(groups)
        for image in range(3)
    ]
    return pd.DataFrame(rows)


def test_one_member_is_trained_on_train_and_judged_on_val(manifest):
    ((train, val),) = plan_members(manifest, 1, seed=0)

    assert set(train["split"]) == {"train"}
    assert len(train) == 36
    assert set(val["split"]) == {"val"}
    assert len(val) == 12


def test_each_training_image_is_in_one_fold_and_no_group_on_both_sides(manifest):
    plan = plan_members(manifest, 4, seed=0)

    folds = [path for _, fold in plan for path in fold["path"]]
    assert sorted(folds) == sorted(manifest.loc[manifest["split"] == "train", "path"])
    for train, fold in plan:
        assert not set(train["group"]) & set(fold["group"])
        assert len(train) + len(fold) == 36
        assert set(fold["target"]) == {0, 1}


def test_the_same_seed_gives_the_same_folds(manifest):
    first, again, other = (plan_members(manifest, 3, seed)[0][1]["path"].tolist() for seed in (0, 0, 1))

    assert first == again
    assert first != other


def test_more_members_than_groups_of_a_class_are_refused(manifest):
    with pytest.raises(UserError, match=r"training\.members is 5.* NORMAL .* 4 "):
        plan_members(manifest, 5, seed=0)


def test_an_averaged_model_survives_saving_and_loading(tmp_path):
    import keras

    from pneumonia.model.averaging import average_networks
    from pneumonia.model.networks import make_network

    networks = []
    for seed in (0, 1):
        network = make_network("residual_cnn", 32, seed=seed)
        networks.append(keras.Model(network.input, network.output, name=f"member_{seed + 1}"))
    model = average_networks(networks, mirror=True)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    views = (images, images[:, :, ::-1])
    expected = np.mean([network.predict(view, verbose=0) for network in networks for view in views], axis=0)

    model.save(tmp_path / "ensemble.keras")
    loaded = keras.models.load_model(tmp_path / "ensemble.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, atol=1e-6)


def test_mirror_images_and_etiologies_are_averaged(tmp_path):
    import keras

    from pneumonia.model.averaging import average_networks
    from pneumonia.model.networks import make_network

    network = make_network("residual_cnn", 32, etiologies=2)
    model = average_networks([network], mirror=True)
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), dtype=np.uint8)
    both = (network.predict(view, verbose=0) for view in (image, image[:, :, ::-1]))
    expected = [np.mean(parts, axis=0) for parts in zip(*both, strict=True)]

    model.save(tmp_path / "views.keras")
    probability, etiology = keras.models.load_model(tmp_path / "views.keras").predict(image, verbose=0)
    np.testing.assert_allclose(probability, expected[0], atol=1e-5)
    np.testing.assert_allclose(etiology, expected[1], atol=1e-5)
