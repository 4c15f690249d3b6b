import dataclasses
import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters, TrainingParameters
from pneumonia.model.averaging import AveragedCopy
from pneumonia.model.callbacks import CountBatches, JudgeEpoch, Progress, ReportProgress, SaveState, StopWhenDiverged
from pneumonia.model.checkpoint import TrainingState, TrainingStates, restore
from pneumonia.model.compiling import compile_network, make_schedule, steps_per_call
from pneumonia.model.fit import build, run_epochs, train
from pneumonia.model.hardware import Hardware
from pneumonia.model.networks import make_network
from pneumonia.model.recipe import Recipe, make_recipe

WEIGHTS = {"NORMAL": 1.5, "PNEUMONIA": 0.5}
CPU = Hardware("cpu", (), "float32", False, "a test")
STEPS = 4
# With validation targets that are the opposite of the training's, every epoch is worse than the one before.
WORSENING = {"opposite": True, "monitor": "val_log_loss", "tolerance": 0.0, "learning_rate": 0.1}


@dataclasses.dataclass(frozen=True)
class InterruptedState(TrainingState):
    """A state that Ctrl-C interrupts as soon as `epochs` epochs are written."""

    epochs: int = 2

    def write(self, record, arrays):
        super().write(record, arrays)
        if len(record["history"]) == self.epochs:
            raise KeyboardInterrupt


class InterruptedStates(TrainingStates):
    """States that Ctrl-C interrupts after a number of epochs of a member (None: of the only network)."""

    interrupted = (None, 2)

    def of(self, key, member=None):
        state = super().of(key, member)
        at, epochs = self.interrupted
        return InterruptedState(state.path, epochs) if member == at else state


class SecondMemberInterrupted(InterruptedStates):
    interrupted = (2, 1)


def states_in(folder, kind=TrainingStates):
    return kind(folder / "states", folder / "tensorboard")


@pytest.fixture(scope="module")
def fit_tiny(tiny_store, tiny_manifest, default_parameters, tiny_cnn):
    """Train a tiny network on tiny images for three epochs, with the project's default recipe."""

    def run(states, flip=0.5, manifest=tiny_manifest, **changes):
        given = {**default_parameters, "model": {**default_parameters["model"], "name": tiny_cnn}}
        augmentation = {**default_parameters["inputs"]["augmentation"], "flip": flip}
        given["inputs"] = {**given["inputs"], "image_size": tiny_store.image_size, "augmentation": augmentation}
        short = {"epochs": 3, "batch_size": 8, "deterministic": True, "image_scale": 1.0, "validation_freq": 1}
        given["training"] = {**given["training"], **short, **changes}
        groups = Parameters.model_validate(given)
        recipe = make_recipe(manifest, WEIGHTS, groups.inputs, groups.model, groups.training)
        return train(manifest, tiny_store, recipe, states)

    return run


@pytest.fixture(scope="module")
def trained(fit_tiny, tmp_path_factory):
    """The result of an undisturbed training."""
    return fit_tiny(states_in(tmp_path_factory.mktemp("trained")))


@pytest.fixture
def toy(default_parameters, tmp_path):
    """Fit a network of two weights on endless batches of four numbers; return it and its progress."""

    def run(state=None, opposite=False, **changes):
        recipe = {"epochs": 3, "warmup_epochs": 0.0, "validation_freq": 1, **changes}
        progress = Progress(TrainingParameters(**{**default_parameters["training"], **recipe}))
        state = state or TrainingState(tmp_path / "state.npz")
        keras.utils.set_random_seed(0)
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
        compile_network(network, progress.training, STEPS, CPU)
        x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]], "float32"), np.array([[0.0], [0.0], [1.0], [1.0]], "float32")
        val_input = tf.data.Dataset.from_tensors((x, 1 - y if opposite else y))
        copy = AveragedCopy(keras.models.clone_model(network), val_input, [])
        progress.take_up(state)
        restore(network, progress.variables)
        callbacks = [
            StopWhenDiverged(progress, state),
            JudgeEpoch(progress, copy),
            SaveState(progress, state, {}),
            ReportProgress(progress),
        ]
        run_epochs(network, tf.data.Dataset.from_tensors((x, y)).repeat(), callbacks, STEPS)
        return network, progress

    return run


def test_the_history_has_one_row_per_epoch_with_train_and_val(trained):
    history = trained.history

    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"loss", "auc", "accuracy", "precision", "recall", "val_auc", "val_log_loss"} <= set(history.columns)
    assert history.notna().all(axis=None)


class GivenCopy(AveragedCopy):
    """A copy whose validation AUC is given."""

    def __init__(self, network, aucs):
        super().__init__(network, None, [])
        self.aucs = iter(aucs)

    def validate(self):
        return {"val_auc": next(self.aucs), "val_log_loss": 1.0}


def test_the_last_epoch_within_the_tolerance_of_the_best_is_kept(default_parameters):
    recipe = {"monitor": "val_auc", "tolerance": 0.01, "weight_averaging": 0.0, "validation_freq": 1}
    progress = Progress(TrainingParameters(**{**default_parameters["training"], **recipe}))
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    compile_network(network, progress.training, STEPS, CPU)
    judge = JudgeEpoch(progress, GivenCopy(keras.models.clone_model(network), [0.90, 0.95, 0.945, 0.93, 0.944, 0.939]))
    judge.set_model(network)
    kept = []
    for epoch in range(6):
        judge.on_epoch_begin(epoch)
        judge.on_epoch_end(epoch, {"loss": 1.0})
        kept.append(progress.best_epoch)

    assert kept == [0, 1, 2, 2, 4, 4]


def test_the_facts_of_a_training_are_known(trained):
    facts = trained.facts

    assert facts["kept_epochs"] == [trained.history.loc[trained.history["kept"] == 1, "epoch"].item()]
    assert facts["mirror_averaged"] is True
    assert facts["hardware"]["device"] == "cpu"
    assert trained.model.dtype_policy.name == "float32"


def test_the_model_gives_the_validation_metrics_of_the_kept_epoch(trained, tiny_store, tiny_manifest, tiny_cnn):
    network = trained.model.get_layer(tiny_cnn)
    val = tiny_manifest[tiny_manifest["split"] == "val"]
    probability = network.predict(tiny_store.read(tiny_store.rows(val["sha256"])), verbose=0)[:, 0].astype(float)

    target = val["target"].to_numpy()
    log_loss = -np.mean(target * np.log(probability) + (1 - target) * np.log(1 - probability))
    history = trained.history
    assert log_loss == pytest.approx(history.loc[history["kept"] == 1, "val_log_loss"].item(), abs=1e-5)


def with_etiologies(manifest):
    """The manifest with every other positive bacterial, the rest viral."""
    kinds = np.where(np.arange(len(manifest)) % 4 < 2, "bacteria", "virus")
    return manifest.assign(etiology=np.where(manifest["target"] == 1, kinds, "none"))


def test_known_etiologies_are_learned_and_the_probability_is_their_sum(
    fit_tiny, tiny_manifest, tiny_store, tmp_path, tiny_cnn
):
    trained = fit_tiny(states_in(tmp_path), manifest=with_etiologies(tiny_manifest), epochs=2)
    images = tiny_store.read(tiny_store.rows(tiny_manifest["sha256"]))

    probability, etiology = trained.model.predict(images, verbose=0)
    assert [output.name.split("/")[0] for output in trained.model.get_layer(tiny_cnn).outputs]
    assert probability.shape == (40, 1)
    assert etiology.shape == (40, 3)
    np.testing.assert_allclose(etiology.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probability[:, 0], etiology[:, 1:].sum(axis=1), atol=1e-6)
    assert {"loss", "auc", "log_loss", "val_auc"} <= set(trained.history.columns)
    assert trained.history.notna().all(axis=None)


def without_seconds(history):
    return history.drop(columns="seconds")


def assert_same(one, other):
    """Assert that two trainings ended alike."""
    pd.testing.assert_frame_equal(without_seconds(one.history), without_seconds(other.history))
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def interrupted(fit_tiny, tmp_path_factory):
    """What a training leaves that is interrupted after two of three epochs."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(UserError, match=r" 2 of 3 epochs\. .* resumes"):
        fit_tiny(states_in(folder, InterruptedStates))
    return folder


@pytest.fixture
def left(interrupted, tmp_path):
    """A copy of it, to go on from."""
    return states_in(shutil.copytree(interrupted, tmp_path / "left"))


def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(fit_tiny, trained, left):
    assert_same(fit_tiny(left), trained)


def test_only_some_epochs_and_the_last_are_validated_also_after_an_interruption(fit_tiny, tmp_path):
    """The interruption comes before the first validation, when no weights are kept yet."""
    with pytest.raises(UserError, match=r" 2 of 4 epochs\. .* resumes"):
        fit_tiny(states_in(tmp_path, InterruptedStates), epochs=4, validation_freq=3)
    resumed = fit_tiny(states_in(tmp_path), epochs=4, validation_freq=3)

    assert resumed.history["val_auc"].notna().tolist() == [False, False, True, True]
    assert resumed.history["loss"].notna().all()
    assert resumed.facts["kept_epochs"][0] in (3, 4)
    assert_same(fit_tiny(states_in(tmp_path / "undisturbed"), epochs=4, validation_freq=3), resumed)


def test_patience_ends_only_with_a_validation(toy):
    _, progress = toy(epochs=30, patience=1, validation_freq=4, **WORSENING)

    assert len(progress.history) == 8
    assert progress.best_epoch == 3


@pytest.mark.parametrize("epochs", [1, 2], ids=["as the size changes", "at full size"])
def test_the_last_epochs_see_images_of_full_size_also_after_an_interruption(fit_tiny, tmp_path, monkeypatch, epochs):
    for module in ("recipe", "networks"):
        monkeypatch.setattr(f"pneumonia.model.{module}.LEAST_SIZE", 16)
    sizes = []
    monkeypatch.setattr(
        "pneumonia.model.fit.make_network",
        lambda name, size, **given: sizes.append(size) or make_network(name, size, **given),
    )
    growing = {"image_scale": 0.5, "full_size": 0.6}
    undisturbed = fit_tiny(states_in(tmp_path / "undisturbed"), **growing)

    # The first is the copy that is validated.
    assert sizes == [32, 16, 32]
    interrupted = type("", (InterruptedStates,), {"interrupted": (None, epochs)})
    with pytest.raises(UserError, match=rf" {epochs} of 3 epochs\. .* resumes"):
        fit_tiny(states_in(tmp_path, interrupted), **growing)
    assert_same(fit_tiny(states_in(tmp_path), **growing), undisturbed)


@pytest.fixture(scope="module")
def ensemble(fit_tiny, tmp_path_factory):
    """The result of an undisturbed training of two members."""
    return fit_tiny(states_in(tmp_path_factory.mktemp("ensemble")), members=2, epochs=2)


def test_without_mirrored_training_images_the_model_is_the_network_itself(fit_tiny, tmp_path, tiny_cnn):
    assert fit_tiny(states_in(tmp_path), flip=0.0, epochs=1).model.name == tiny_cnn


def test_several_members_are_averaged_and_their_histories_kept(ensemble, tiny_store, tiny_manifest):
    model, history, facts = ensemble
    images = tiny_store.read(tiny_store.rows(tiny_manifest["sha256"]))

    members = [layer for layer in model.layers if layer.name.startswith("member_")]
    views = (images, images[:, :, ::-1])
    expected = np.mean([member.predict(view, verbose=0) for member in members for view in views], axis=0)
    assert [member.name for member in members] == ["member_1", "member_2"]
    assert not np.array_equal(members[0].get_weights()[0], members[1].get_weights()[0])
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)
    assert history["member"].tolist() == [1, 1, 2, 2]
    assert facts["kept_epochs"] == history.loc[history["kept"] == 1, "epoch"].tolist()


def test_an_interrupted_ensemble_goes_on_with_the_member_it_was_at(fit_tiny, ensemble, tmp_path, caplog):
    caplog.set_level("INFO")
    with pytest.raises(UserError, match=r" 1 of 2 epochs of member 2 of 2\. "):
        fit_tiny(states_in(tmp_path, SecondMemberInterrupted), members=2, epochs=2)
    caplog.clear()
    states = states_in(tmp_path)
    continued = fit_tiny(states, members=2, epochs=2)

    assert [line for line in caplog.messages if line.startswith("Resuming")] == [
        "Resuming after 2 of 2 epochs of member 1 of 2.",
        "Resuming after 1 of 2 epochs of member 2 of 2.",
    ]
    assert_same(continued, ensemble)
    states.remove(continued.facts["training_key"])
    assert not list(states.folder.iterdir())


def test_another_recipe_leaves_an_interrupted_training_alone_and_says_how_they_differ(fit_tiny, trained, left, caplog):
    fit_tiny(left, epochs=1)

    assert "not resumed, because this one has training.epochs 1 instead of 3." in caplog.text
    assert_same(fit_tiny(left), trained)


def test_a_damaged_state_of_another_training_is_named_and_stops_nobody(fit_tiny, tmp_path, caplog):
    states = states_in(tmp_path)
    states.folder.mkdir()
    states.of("another").path.write_bytes(b"cut")

    assert len(fit_tiny(states, epochs=1).history) == 1
    assert "another.npz is damaged" in caplog.text


def test_a_limit_on_memory_does_not_start_a_training_over(fit_tiny, left, caplog):
    caplog.set_level("INFO")
    fit_tiny(left, device="cpu")

    assert "Resuming after 2 of 3 epochs." in caplog.messages


def test_tensorboard_logs_are_complete_across_an_interruption(fit_tiny, tmp_path, tiny_cnn):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(UserError, match="Interrupted"):
        fit_tiny(states_in(tmp_path, InterruptedStates), tensorboard=True)
    history = fit_tiny(states_in(tmp_path), tensorboard=True).history

    for part, column in (("train", "auc"), ("validation", "val_auc")):
        (folder,) = (tmp_path / "tensorboard").glob(f"{tiny_cnn}-*/{part}")
        events = EventAccumulator(str(folder)).Reload()
        logged = {event.step: float(tf.make_ndarray(event.tensor_proto))
                  for event in events.Tensors("epoch_auc")}  # fmt: skip
        assert list(logged) == [0, 1, 2]
        assert list(logged.values()) == pytest.approx(history[column].tolist(), rel=1e-6)


def test_tensorboard_logs_without_tensorboard_are_refused_before_training(fit_tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("pneumonia.model.callbacks.find_spec", lambda name: None)

    with pytest.raises(UserError, match=r"TensorBoard is not installed.*\.\[tensorboard\]"):
        fit_tiny(states_in(tmp_path), tensorboard=True)


def test_best_weights_and_patience_survive_an_interruption(toy, tmp_path):
    worsening = {"epochs": 9, "patience": 4, **WORSENING}
    with pytest.raises(UserError, match="Interrupted after 3 of 9"):
        toy(InterruptedState(tmp_path / "state.npz", epochs=3), **worsening)
    _, progress = toy(TrainingState(tmp_path / "state.npz"), **worsening)

    assert progress.best_epoch == 0
    assert len(progress.history) == 5


def test_a_network_starts_from_the_weights_that_are_given(default_parameters, tiny_cnn):
    groups = Parameters.model_validate(
        {**default_parameters, "model": {**default_parameters["model"], "name": tiny_cnn}}
    )
    recipe = Recipe(inputs=groups.inputs, model=groups.model, training=groups.training, class_weights=WEIGHTS)
    given = [weight + 1 for weight in build(recipe, 32).get_weights()]

    for built, wanted in zip(build(recipe, 32, given).get_weights(), given, strict=True):
        np.testing.assert_array_equal(built, wanted)


def test_restart_ignores_an_unfinished_training(fit_tiny, left, caplog):
    caplog.set_level("INFO")
    fit_tiny(left, restart=True)

    assert "Resuming" not in caplog.text


def test_an_interrupted_restart_is_resumed_without_restart(toy, tmp_path, monkeypatch):
    state = tmp_path / "state.npz"
    resumes = r"he same command without training\.restart=true resumes"
    with pytest.raises(UserError, match=rf"Interrupted after 1 of 3 epochs\. T{resumes} from there"):
        toy(InterruptedState(state, epochs=1), restart=True)

    def full(self, data):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(keras.Model, "train_step", full)
    with pytest.raises(UserError, match=rf"The disk is full .* Free space; t{resumes}"):
        toy(restart=True)


@pytest.mark.parametrize(("restart", "command"), [(False, ""), (True, r" without training\.restart=true")])
def test_a_training_that_diverges_late_says_what_resumes_it(default_parameters, tmp_path, restart, command):
    progress = Progress(TrainingParameters(**{**default_parameters["training"], "restart": restart}), history=[{}])
    stop = StopWhenDiverged(progress, TrainingState(tmp_path / "state.npz"))

    with pytest.raises(UserError, match=rf"state\.npz; the same command{command} would resume from there\."):
        stop.on_train_batch_end(0, {"loss": float("nan")})


def test_training_stops_when_patience_is_over(toy):
    _, progress = toy(epochs=30, patience=2, **WORSENING)

    assert len(progress.history) == 3
    assert progress.finished


def test_a_loss_that_is_not_a_number_stops_at_once_naming_epoch_and_step(toy):
    with pytest.raises(UserError, match=r" nan at epoch 1, by step [234]: .*training\.learning_rate"):
        toy(learning_rate=1e38, weight_decay=1e10)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("OOM when allocating tensor", "Out of memory at batch size 32 and image size 1"),
        ("logs/train; No space left on device", r"The disk is full \(logs/train; No space left on device\)"),
    ],
)
def test_memory_that_runs_out_is_told_from_a_disk_filled_by_logs(toy, monkeypatch, reason, said):
    def exhausted(self, data):
        raise tf.errors.ResourceExhaustedError(None, None, reason)

    monkeypatch.setattr(keras.Model, "train_step", exhausted)
    with pytest.raises(UserError, match=said):
        toy()


def test_a_full_disk_leaves_the_former_state(toy, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    with pytest.raises(UserError, match="Interrupted"):
        toy(InterruptedState(path, epochs=1))
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match=r"Could not write .*state\.npz: No space left on device"):
        toy(TrainingState(path))
    assert path.read_bytes() == before


def test_the_log_tells_the_time_left(toy, caplog):
    caplog.set_level("INFO")
    toy()

    lines = [message for message in caplog.messages if message.startswith("Epoch")]
    assert len(lines) == 3
    assert "Epoch 3/3: loss" in lines[2]
    assert ["left" in line for line in lines] == [False, True, False]  # the first epoch also builds the graph


def test_batches_are_counted_though_several_are_done_in_one_go():
    done = []
    count = CountBatches(done.append)
    for _ in range(2):
        count.on_epoch_begin(0)
        for last in (4, 9, 11):
            count.on_train_batch_end(last)
    assert done == [5, 5, 2] * 2


def test_the_learning_rate_warms_up_and_falls_to_one_percent(default_parameters):
    recipe = {"epochs": 10, "warmup_epochs": 2.0, "learning_rate": 0.1, "decay": "cosine"}
    schedule = make_schedule(TrainingParameters(**{**default_parameters["training"], **recipe}), 10)

    rates = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
    # Halfway, the cosine lies midway between the peak and a hundredth of it.
    assert rates == pytest.approx([0.001, 0.0505, 0.1, 0.0505, 0.001], abs=1e-6)


def test_a_constant_learning_rate_stays(default_parameters):
    recipe = {"epochs": 10, "warmup_epochs": 0.0, "learning_rate": 0.1, "decay": "constant"}
    schedule = make_schedule(TrainingParameters(**{**default_parameters["training"], **recipe}), 10)

    assert [float(schedule(step)) for step in (0, 50, 100)] == pytest.approx([0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("loss", "activation", "targets"),
    [
        (keras.losses.BinaryCrossentropy, tf.sigmoid, [[0.0], [1.0]]),
        (keras.losses.CategoricalCrossentropy, tf.nn.softmax, [[0.0, 1.0, 0.0]]),
    ],
    ids=["two classes", "three"],
)
def test_label_smoothing_gives_the_targets_that_its_description_names(loss, activation, targets):
    logits = tf.Variable(tf.zeros_like(targets))
    with tf.GradientTape() as tape:
        value = loss(label_smoothing=0.05, reduction="sum")(tf.constant(targets), activation(logits))
    # The gradient of cross-entropy is the prediction minus the target.
    smoothed = np.unique((activation(logits) - tape.gradient(value, logits)).numpy().round(4))

    described = TrainingParameters.model_fields["label_smoothing"].description
    assert "{:.4g} and {:.4g}".format(*smoothed) in " ".join(described.split())


@pytest.mark.parametrize(("steps", "in_one_call"), [(115, 5), (16, 8), (13, 1), (1, 1), (6, 6)])
def test_an_epoch_is_a_whole_number_of_calls(steps, in_one_call):
    assert steps_per_call(steps) == in_one_call


def test_mixed_precision_trains_and_the_model_is_saved_in_float32(fit_tiny, tmp_path):
    trained = fit_tiny(states_in(tmp_path), epochs=1, precision="mixed_bfloat16")

    assert trained.facts["hardware"]["policy"] == "mixed_bfloat16"
    assert {weight.dtype for weight in trained.model.weights} == {"float32"}
    assert np.isfinite(trained.history["loss"]).all()


KILLED = """
import os, signal, sys
from pathlib import Path
from pneumonia.model.checkpoint import TrainingState
write = TrainingState.write
def killing_write(self, record, arrays):
    write(self, record, arrays)
    if len(record["history"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
TrainingState.write = killing_write
"""


@pytest.mark.slow
def test_a_killed_kedro_run_is_continued_by_the_same_command(tmp_path, tiny_checkout):
    checkout = tiny_checkout(tmp_path / "checkout")
    command = ["--env=tiny", "--pipelines=training", "--params=training.epochs=3,training.deterministic=true"]
    prefix = [sys.executable, "-c"]
    run = "import sys; from kedro.framework.cli import main; sys.argv = ['kedro', 'run', *sys.argv[1:]]; main()"

    killed = subprocess.run([*prefix, KILLED + run, *command], cwd=checkout, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    continued = subprocess.run([*prefix, run, *command], cwd=checkout, capture_output=True, text=True, check=True)
    assert "Resuming after 2 of 3 epochs" in continued.stdout + continued.stderr
    first = max((checkout / "data/tiny/06_models/pneumonia_model.keras").glob("*/*.keras"))
    subprocess.run([*prefix, run, *command], cwd=checkout, check=True, capture_output=True)
    second = max((checkout / "data/tiny/06_models/pneumonia_model.keras").glob("*/*.keras"))

    assert first != second
    pairs = zip(*(keras.models.load_model(path).get_weights() for path in (first, second)), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
