import gc
import json
import logging
import subprocess
import sys
import textwrap
from functools import partial

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pneumonia.base.parameters import AugmentationParameters
from pneumonia.pixels.augmentation import N_DRAWS, augment
from pneumonia.pixels.batches import (
    Augmentation,
    Batching,
    Labelling,
    make_eval_input,
    make_train_input,
    plan_epoch,
    steps_per_epoch,
)  # fmt: skip
from pneumonia.pixels.decoding import decode_image
from pneumonia.pixels.store import PixelFile, PixelStore

ORDER, DRAWS = [1, 0, 5, 2, 3, 4], [0.1302464, 0.9086311, 0.1975619]
SIZE = 4
N = 50
WEIGHTS = {"NORMAL": 2.0, "PNEUMONIA": 0.5}
PLAIN = Labelling()
IN_MEMORY, STREAMED = 1, 0


@pytest.fixture(scope="module")
def manifest():
    """Row r of the manifest is record N - 1 - r of the store; every third image is NORMAL."""
    targets = (np.arange(N) % 3 > 0).astype(int)
    return pd.DataFrame(
        {
            "sha256": [f"{row:064x}" for row in range(N)],
            "label": np.array(list(WEIGHTS))[targets],
            "target": targets,
        }
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory, manifest):
    """Images whose every pixel is the image's row in the manifest."""
    path = tmp_path_factory.mktemp("rows") / "part.u8"
    path.write_bytes(np.repeat(np.arange(N - 1, -1, -1, dtype=np.uint8), SIZE**2).tobytes())
    return PixelStore(path.parent, SIZE, [PixelFile(path, tuple(manifest["sha256"][::-1]), "")])


def make(store, manifest, memory_limit_mb=IN_MEMORY, augmentation=None, labelling=PLAIN, **batching):
    chosen = Batching(**{"size": 8, "seed": 3} | batching)
    return make_train_input(
        store, manifest, chosen, memory_limit_mb=memory_limit_mb, augmentation=augmentation, labelling=labelling
    )


def epochs_of(dataset, n_epochs):
    """The rows that each epoch's images show, in order."""
    steps = steps_per_epoch(N, 8)
    rows = [images[:, 0, 0, 0].numpy() for images, *_ in dataset.take(n_epochs * steps)]
    return [np.concatenate(rows[start * steps : (start + 1) * steps]) for start in range(n_epochs)]


@pytest.fixture(params=[IN_MEMORY, STREAMED], ids=["in memory", "streamed"])
def limit(request):
    return request.param


def test_every_image_comes_exactly_once_an_epoch(store, manifest, limit):
    for rows in epochs_of(make(store, manifest, memory_limit_mb=limit), 3):
        assert sorted(rows) == list(range(N))


def test_two_epochs_have_different_orders(store, manifest):
    first, second = epochs_of(make(store, manifest), 2)

    assert first.tolist() != second.tolist()
    assert first.tolist() != sorted(first)


def test_the_shuffle_reaches_over_the_whole_epoch(store, manifest):
    epochs = np.array(epochs_of(make(store, manifest), 40))

    # A uniformly shuffled row comes at each place with a standard deviation of N / sqrt(12) = 14.4.
    assert np.argsort(epochs, axis=1).std(axis=0).min() > 11


def test_another_seed_gives_another_order(store, manifest):
    (first,), (second,) = (epochs_of(make(store, manifest, seed=seed), 1) for seed in (3, 4))

    assert first.tolist() != second.tolist()


def test_the_same_seed_gives_the_same_orders_in_memory_and_streamed(store, manifest):
    in_memory, streamed = (
        epochs_of(make(store, manifest, memory_limit_mb=limit), 3) for limit in (IN_MEMORY, STREAMED)
    )

    assert np.array_equal(in_memory, streamed)


def test_starting_at_a_later_epoch_gives_what_the_undisturbed_training_saw(store, manifest):
    undisturbed = epochs_of(make(store, manifest), 4)

    assert np.array_equal(epochs_of(make(store, manifest, first_epoch=2), 2), undisturbed[2:])


NEW_PROCESS = """
    import json, sys
    from pathlib import Path
    import pandas as pd
    from pneumonia.pixels.batches import Augmentation, Batching, make_train_input
    from pneumonia.pixels.store import PixelFile, PixelStore
    path = Path(sys.argv[1])
    sha256s = [f"{row:064x}" for row in range(50)]
    store = PixelStore(path.parent, 4, [PixelFile(path, tuple(sha256s[::-1]), "")])
    manifest = pd.DataFrame({"sha256": sha256s, "label": "NORMAL", "target": 0})
    data = make_train_input(
        store, manifest, Batching(8, seed=3, first_epoch=2), memory_limit_mb=1,
        augmentation=Augmentation(lambda images, draws: draws, 2),
    )
    print(json.dumps([draws.numpy().tolist() for draws, _, _ in data.take(7)]))
"""


def test_a_new_process_that_starts_at_epoch_2_sees_the_same_draws(store, manifest):
    data = make(store, manifest, augmentation=Augmentation(lambda images, draws: draws, 2))
    undisturbed = [draws.numpy().tolist() for draws, _, _ in data.skip(14).take(7)]

    script = [sys.executable, "-c", textwrap.dedent(NEW_PROCESS), str(store.folder / "part.u8")]
    continued = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert json.loads(continued) == undisturbed


def test_target_and_weight_travel_with_their_image(store, manifest, limit):
    data = make(store, manifest, memory_limit_mb=limit, labelling=Labelling(WEIGHTS))
    for images, targets, weights in data.take(14):
        rows = manifest.iloc[images[:, 0, 0, 0].numpy()]
        assert np.array_equal(targets[:, 0], rows["target"])
        assert np.array_equal(weights, rows["label"].map(WEIGHTS))


def test_draws_travel_with_their_image(store, manifest):
    def show(images, draws):
        return tf.concat([tf.cast(images[:, 0, 0], tf.float32), draws], axis=1)

    data = make(store, manifest, augmentation=Augmentation(show, 5))
    for epoch in (0, 1):
        expected = plan_epoch(N, 3, epoch, 5)[1].numpy()
        for shown, _, _ in data.skip(7 * epoch).take(7):
            assert np.array_equal(shown[:, 1:], expected[shown[:, 0].numpy().astype(int)])


def test_without_class_weights_every_image_weighs_1(store, manifest):
    _, _, weights = next(iter(make(store, manifest)))

    assert np.array_equal(weights, np.ones(8, np.float32))


def test_the_pixels_stay_as_long_as_their_dataset(store, manifest):
    data = make(store, manifest)
    gc.collect()

    assert sorted(epochs_of(data, 1)[0]) == list(range(N))


def test_shapes_and_types_are_known_beforehand(store, manifest, limit):
    images, targets, weights = make(store, manifest, memory_limit_mb=limit).element_spec

    assert (images.shape.as_list(), images.dtype) == ([None, SIZE, SIZE, 1], tf.uint8)
    assert (targets.shape.as_list(), targets.dtype) == ([None, 1], tf.float32)
    assert (weights.shape.as_list(), weights.dtype) == ([None], tf.float32)


def test_the_last_batch_of_an_epoch_holds_what_is_left(store, manifest):
    sizes = [len(images) for images, *_ in make(store, manifest).take(14)]

    assert sizes == [8, 8, 8, 8, 8, 8, 2] * 2
    assert steps_per_epoch(N, 8) == 7


def test_a_last_batch_that_is_made_whole_repeats_the_first_images_of_the_epoch(store, manifest):
    dataset = make(store, manifest, size=8, whole=True)
    batches = [images[:, 0, 0, 0] for images, *_ in dataset.take(7).as_numpy_iterator()]

    assert [len(batch) for batch in batches] == [8] * 7
    rows = np.concatenate(batches)
    assert sorted(rows[:N]) == list(range(N))
    assert list(rows[N:]) == list(rows[: 56 - N])


def test_a_batch_larger_than_the_epoch_is_made_whole_too(store, manifest):
    ((images, *_),) = make(store, manifest.head(3), size=8, whole=True).take(1).as_numpy_iterator()
    counts = np.bincount(images[:, 0, 0, 0], minlength=3)
    assert sorted(counts) == [2, 3, 3]


TWO_REPLICAS = """
    import json, sys
    from pathlib import Path
    import pandas as pd
    import tensorflow as tf
    from pneumonia.pixels.batches import Augmentation, Batching, make_train_input
    from pneumonia.pixels.store import PixelFile, PixelStore
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    path = Path(sys.argv[1])
    sha256s = [f"{row:064x}" for row in range(50)]
    store = PixelStore(path.parent, 4, [PixelFile(path, tuple(sha256s[::-1]), "")])
    manifest = pd.DataFrame({"sha256": sha256s, "label": "NORMAL", "target": 0})
    data = make_train_input(store, manifest, Batching(8, seed=3), memory_limit_mb=1)
    batches = iter(strategy.experimental_distribute_dataset(data))
    shares = [strategy.experimental_local_results(next(batches)[0]) for _ in range(7)]
    print(json.dumps([[share[:, 0, 0, 0].numpy().tolist() for share in batch] for batch in shares]))
"""


@pytest.mark.slow
def test_two_replicas_of_one_machine_share_each_batch(store, manifest):
    script = [sys.executable, "-c", textwrap.dedent(TWO_REPLICAS), str(store.folder / "part.u8")]
    shares = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout)

    assert [[len(rows) for rows in batch] for batch in shares] == [[4, 4]] * 6 + [[1, 1]]
    rows = [row for batch in shares for share in batch for row in share]
    assert rows == epochs_of(make(store, manifest), 1)[0].tolist()


SLOW_READS = """
    import sys, time
    from pathlib import Path
    import pandas as pd
    from pneumonia.pixels.batches import Augmentation, Batching, make_train_input
    from pneumonia.pixels.store import PixelFile, PixelStore
    class SlowStore(PixelStore):
        def read(self, rows):
            time.sleep(0.3)
            return super().read(rows)
    path = Path(sys.argv[1])
    sha256s = [f"{row:064x}" for row in range(50)]
    store = SlowStore(path.parent, 4, [PixelFile(path, tuple(sha256s[::-1]), "")])
    manifest = pd.DataFrame({"sha256": sha256s, "label": "NORMAL", "target": 0})
    batches = iter(make_train_input(store, manifest, Batching(8, seed=3), memory_limit_mb=0))
    next(batches)
    print("the next batches are being read")
"""


def test_a_process_ends_while_batches_are_being_read(store):
    script = [sys.executable, "-c", textwrap.dedent(SLOW_READS), str(store.folder / "part.u8")]
    ended = subprocess.run(script, capture_output=True, text=True, check=True, timeout=600)

    assert ended.stdout == "the next batches are being read\n"


def test_the_plan_of_an_epoch_is_fixed():
    order, draws = (tensor.numpy() for tensor in plan_epoch(5, 3, 1, 2))

    assert sorted(order) == [0, 1, 2, 3, 4]
    assert (draws.shape, draws.dtype) == ((5, 2), np.float32)
    assert draws.min() >= 0
    assert draws.max() < 1
    again, same = plan_epoch(5, 3, 1, 2)
    assert np.array_equal(order, again)
    assert np.array_equal(draws, same)


def test_the_plan_is_the_same_whether_it_is_made_eagerly_or_inside_a_dataset():
    (inside,) = tf.data.Dataset.range(1, 2).map(lambda epoch: plan_epoch(N, 3, epoch, 2))

    for expected, tensor in zip(plan_epoch(N, 3, 1, 2), inside, strict=True):
        assert np.array_equal(expected, tensor)


def test_draws_are_uniform_and_differ_between_rows_and_epochs():
    draws = np.array([plan_epoch(500, 3, epoch, 4)[1] for epoch in range(20)])

    # Standard errors of 40,000 draws: 0.0014 and 0.0007.
    assert draws.mean() == pytest.approx(0.5, abs=0.006)
    assert draws.std() == pytest.approx(12**-0.5, abs=0.003)
    assert len(np.unique(draws)) > 39_000


def test_order_and_draws_are_fixed_numbers():
    """A change here means that an unfinished training cannot be continued."""
    order, draws = plan_epoch(6, 2018, 4, 1)

    assert order.numpy().tolist() == ORDER
    assert draws.numpy()[:3, 0] == pytest.approx(DRAWS, abs=1e-6)


def test_more_draws_do_not_change_the_order():
    assert np.array_equal(plan_epoch(N, 3, 1, 2)[0], plan_epoch(N, 3, 1, 9)[0])


def test_the_default_augmentation_is_the_same_in_memory_streamed_and_started_late(
    tiny_store, tiny_manifest, default_parameters
):
    strengths = AugmentationParameters(**default_parameters["inputs"]["augmentation"])
    default = {"augmentation": Augmentation(partial(augment, strengths=strengths), N_DRAWS), "size": 16, "seed": 1}
    undisturbed = make(tiny_store, tiny_manifest, IN_MEMORY, **default).skip(3).take(3)
    continued = make(tiny_store, tiny_manifest, STREAMED, first_epoch=1, **default).take(3)

    for (expected, *_), (images, *_) in zip(undisturbed, continued, strict=True):
        assert np.array_equal(images, expected)


def test_evaluation_keeps_the_order_of_the_manifest(store, manifest, limit):
    data = make_eval_input(store, manifest, batch_size=8, memory_limit_mb=limit)
    images, targets = (np.concatenate(parts) for parts in zip(*data.as_numpy_iterator(), strict=True))

    assert images[:, 0, 0, 0].tolist() == list(range(N))
    assert targets[:, 0].tolist() == manifest["target"].tolist()
    assert (images.shape, images.dtype, targets.shape, targets.dtype) == (
        (N, 4, 4, 1),
        np.uint8,
        (N, 1),
        np.float32,
    )


def test_evaluation_of_chosen_rows_gives_those(store, manifest):
    data = make_eval_input(store, manifest.iloc[[40, 2, 17]], batch_size=8, memory_limit_mb=1)

    assert next(iter(data))[0][:, 0, 0, 0].numpy().tolist() == [40, 2, 17]


def test_pixels_are_the_same_from_the_store_by_streaming_and_alone(tiny_store, tiny_manifest, tiny_images, limit):
    data = make_eval_input(tiny_store, tiny_manifest, batch_size=7, memory_limit_mb=limit)
    images = np.concatenate([images for images, _ in data.as_numpy_iterator()])

    alone = [decode_image(tiny_images[path], 32, "squeeze") for path in tiny_manifest["path"]]
    assert np.array_equal(images[..., 0], alone)


def test_the_log_says_where_the_pixels_are(store, manifest, caplog):
    with caplog.at_level(logging.DEBUG, "pneumonia.pixels.batches"):
        make(store, manifest, memory_limit_mb=1)
        make(store, manifest, memory_limit_mb=0)

    assert caplog.messages == [
        "Input: 50 images of 4 px (0 MB), held in memory.",
        "Input: 50 images of 4 px (0 MB), streamed: more than inputs.memory_limit_mb=0.",
    ]
