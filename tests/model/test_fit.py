import dataclasses
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import InputsParameters, ModelParameters, TrainingParameters
from pneumonia.model.callbacks import EpochKeeper
from pneumonia.model.checkpoint import TrainingState
from pneumonia.model.fit import compile_network, fit, fit_network, make_key, make_schedule
from pneumonia.model.hardware import Hardware
from pneumonia.model.lineage import make_lineage
from pneumonia.model.weight_average import AveragedCopy

WEIGHTS = {"NORMAL": 2.0, "PNEUMONIA": 2 / 3}
CPU = Hardware("cpu", (), "float32", False, "a test")
STEPS = 4
# With validation targets that are the opposite of the training's, every epoch is worse than the one before.
WORSENING = {"opposite": True, "monitor": "val_log_loss", "tolerance": 0.0, "learning_rate": 0.1}


@dataclasses.dataclass(frozen=True)
class InterruptedState(TrainingState):
    """A state during whose writing Ctrl-C is pressed, after `epochs` epochs."""

    epochs: int = 2

    def write(self, record, arrays):
        super().write(record, arrays)
        if len(record["history"]) == self.epochs:
            raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class SecondMemberInterrupted(TrainingState):
    """A state during whose writing Ctrl-C is pressed, in the first epoch of the second member."""

    def write(self, record, arrays):
        super().write(record, arrays)
        if "member_2" in self.path.name:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def train(tiny_store, tiny_manifest, default_parameters):
    """Call `fit_network` on tiny images for three epochs, with the project's default recipe."""

    def run(state, flip=0.5, **changes):
        augmentation = {**default_parameters["inputs"]["augmentation"], "flip": flip}
        inputs = InputsParameters(
            **{**default_parameters["inputs"], "image_size": tiny_store.image_size, "augmentation": augmentation}
        )
        model = ModelParameters(**{**default_parameters["model"], "name": "separable_cnn"})
        training = TrainingParameters(
            **{**default_parameters["training"], "epochs": 3, "batch_size": 8, "deterministic": True, **changes}
        )
        lineage = make_lineage(tiny_manifest, tiny_store, inputs, model, training)
        logs = state.path.parent / "tensorboard"
        return fit_network(tiny_manifest, tiny_store, WEIGHTS, state, logs, lineage, inputs, model, training)

    return run


@pytest.fixture(scope="module")
def trained(train, tmp_path_factory):
    """The network and history of an undisturbed training."""
    return train(TrainingState(tmp_path_factory.mktemp("trained") / "state.npz"))


@pytest.fixture
def toy(default_parameters, tmp_path):
    """Call `fit` with a network of two weights, on endless batches of four numbers."""

    def run(state=None, key=None, opposite=False, **changes):
        recipe = {"epochs": 3, "warmup_epochs": 0.0, **changes}
        parameters = TrainingParameters(**{**default_parameters["training"], **recipe})
        keras.utils.set_random_seed(0)
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
        compile_network(network, parameters, STEPS, CPU)
        x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]], "float32"), np.array([[0.0], [0.0], [1.0], [1.0]], "float32")
        val_input = tf.data.Dataset.from_tensors((x, 1 - y if opposite else y))
        copy = AveragedCopy(keras.models.clone_model(network), val_input, [])
        keeper = EpochKeeper(state or TrainingState(tmp_path / "state.npz"), key or {"manifest": "a"}, parameters, copy)
        keeper.restore(network)
        fit(network, tf.data.Dataset.from_tensors((x, y)).repeat(), keeper, STEPS)
        return network, keeper

    return run


def test_the_history_has_one_row_an_epoch_with_train_and_val(trained):
    _, history = trained

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


def test_the_last_epoch_within_the_tolerance_of_the_best_is_kept(default_parameters, tmp_path):
    recipe = {**default_parameters["training"], "monitor": "val_auc", "tolerance": 0.01, "weight_averaging": 0.0}
    parameters = TrainingParameters(**recipe)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    compile_network(network, parameters, STEPS, CPU)
    copy = GivenCopy(keras.models.clone_model(network), [0.90, 0.95, 0.945, 0.93, 0.944, 0.939])
    keeper = EpochKeeper(TrainingState(tmp_path / "s.npz"), {}, parameters, copy)
    keeper.set_model(network)
    keeper.on_train_begin()
    kept = []
    for epoch in range(6):
        keeper.on_epoch_begin(epoch)
        keeper.on_epoch_end(epoch, {"loss": 1.0})
        kept.append(keeper.best_epoch)

    assert kept == [0, 1, 2, 2, 4, 4]


def test_the_model_says_what_it_was_made_from(trained, tiny_store):
    model, history = trained

    assert model.lineage["class_names"] == ["NORMAL", "PNEUMONIA"]
    assert model.lineage["image_size"] == tiny_store.image_size
    assert model.lineage["pixels"] == tiny_store.fingerprint
    assert model.lineage["kept_epochs"] == [history.loc[history["kept"] == 1, "epoch"].item()]
    assert len(model.lineage["manifest_sha256"]) == 64
    assert model.dtype_policy.name == "float32"


def test_the_model_gives_the_validation_metrics_of_the_kept_epoch(trained, tiny_store, tiny_manifest):
    model, history = trained
    network = model.get_layer("separable_cnn")
    val = tiny_manifest[tiny_manifest["split"] == "val"]
    probability = network.predict(tiny_store.read(tiny_store.rows(val["sha256"])), verbose=0)[:, 0].astype(float)

    target = val["target"].to_numpy()
    log_loss = -np.mean(target * np.log(probability) + (1 - target) * np.log(1 - probability))
    assert log_loss == pytest.approx(history.loc[history["kept"] == 1, "val_log_loss"].item(), abs=1e-5)


def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(train, trained, tmp_path):
    path = tmp_path / "interrupted.npz"
    with pytest.raises(UserError, match=r"Interrupted after 2 of 3 epochs\. The same command goes on from there"):
        train(InterruptedState(path))
    continued, history = train(TrainingState(path))

    undisturbed, expected = trained
    columns = [name for name in history if name != "seconds"]
    pd.testing.assert_frame_equal(history[columns], expected[columns])
    for a, b in zip(continued.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def ensemble(train, tmp_path_factory):
    """The averaged network and the history of an undisturbed training of two members."""
    return train(TrainingState(tmp_path_factory.mktemp("ensemble") / "state.npz"), members=2, epochs=2)


def test_without_mirrored_training_images_the_model_is_the_network_itself(train, tmp_path):
    model, _ = train(TrainingState(tmp_path / "state.npz"), flip=0.0, epochs=1)

    assert model.name == "separable_cnn"


def test_several_members_are_averaged_and_their_histories_kept(ensemble, tiny_store, tiny_manifest):
    model, history = ensemble
    images = tiny_store.read(tiny_store.rows(tiny_manifest["sha256"]))

    members = [layer for layer in model.layers if layer.name.startswith("member_")]
    views = (images, images[:, :, ::-1])
    expected = np.mean([member.predict(view, verbose=0) for member in members for view in views], axis=0)
    assert [member.name for member in members] == ["member_1", "member_2"]
    assert not np.array_equal(members[0].get_weights()[0], members[1].get_weights()[0])
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)
    assert history["member"].tolist() == [1, 1, 2, 2]
    assert model.lineage["kept_epochs"] == history.loc[history["kept"] == 1, "epoch"].tolist()


def test_an_interrupted_ensemble_goes_on_with_the_member_it_was_at(train, ensemble, tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "state.npz"
    undisturbed, expected = ensemble
    with pytest.raises(UserError, match=r"Interrupted after 1 of 2 epochs of member 2 of 2\. The same command"):
        train(SecondMemberInterrupted(path), members=2, epochs=2)
    caplog.clear()
    continued, history = train(TrainingState(path), members=2, epochs=2)

    assert [line for line in caplog.messages if line.startswith("Continuing")] == [
        "Continuing after 2 of 2 epochs of member 1 of 2.",
        "Continuing after 1 of 2 epochs of member 2 of 2.",
    ]
    columns = [name for name in history if name != "seconds"]
    pd.testing.assert_frame_equal(history[columns], expected[columns])
    for a, b in zip(continued.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    TrainingState(path).remove_finished()
    assert not list(tmp_path.glob("state*.npz"))


def test_tensorboard_logs_are_complete_across_an_interruption(train, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(UserError, match="Interrupted"):
        train(InterruptedState(tmp_path / "state.npz"), tensorboard=True)
    _, history = train(TrainingState(tmp_path / "state.npz"), tensorboard=True)

    for part, column in (("train", "auc"), ("val", "val_auc")):
        (folder,) = (tmp_path / "tensorboard").glob(f"separable_cnn-*/{part}")
        events = EventAccumulator(str(folder)).Reload()
        logged = {event.step: float(tf.make_ndarray(event.tensor_proto))
                  for event in events.Tensors("auc")}  # fmt: skip
        assert list(logged) == [1, 2, 3]
        assert list(logged.values()) == pytest.approx(history[column].tolist(), rel=1e-6)


def test_tensorboard_logs_without_tensorboard_are_refused_before_training(train, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(UserError, match=r"TensorBoard is not installed.*\.\[tensorboard\]"):
        train(TrainingState(tmp_path / "state.npz"), tensorboard=True)


def test_best_weights_and_patience_survive_an_interruption(toy, tmp_path):
    worsening = {"epochs": 9, "patience": 4, **WORSENING}
    with pytest.raises(UserError, match="Interrupted after 3 of 9"):
        toy(InterruptedState(tmp_path / "state.npz", epochs=3), **worsening)
    _, keeper = toy(TrainingState(tmp_path / "state.npz"), **worsening)

    assert keeper.best_epoch == 0
    assert len(keeper.history) == 5


def test_a_training_with_another_key_starts_anew_and_says_what_changed(toy, tmp_path, caplog):
    path = tmp_path / "state.npz"
    with pytest.raises(UserError):
        toy(InterruptedState(path), key={"manifest": "a", "pixels": "p"})
    _, keeper = toy(TrainingState(path), key={"manifest": "b", "pixels": "p"})

    assert "not continued: manifest changed since" in caplog.text
    assert [row["epoch"] for row in keeper.history] == [1, 2, 3]


def test_restart_ignores_an_unfinished_training(toy, tmp_path, caplog):
    caplog.set_level("INFO")
    with pytest.raises(UserError):
        toy(InterruptedState(tmp_path / "state.npz"))
    toy(TrainingState(tmp_path / "state.npz"), restart=True)

    assert "Continuing" not in caplog.text


def test_training_stops_when_patience_is_over(toy):
    _, keeper = toy(epochs=30, patience=2, **WORSENING)

    assert len(keeper.history) == 3
    assert keeper.finished


def test_a_loss_that_is_not_a_number_stops_at_once_naming_epoch_and_step(toy):
    with pytest.raises(UserError, match=r"The loss is nan at epoch 1, step [23]: .*training\.learning_rate"):
        toy(learning_rate=1e38, weight_decay=1e10)


def test_running_out_of_memory_names_batch_size_and_image_size(toy, monkeypatch):
    def exhausted(self, data):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "train_step", exhausted)
    with pytest.raises(UserError, match="Out of memory at batch size 32 and image size 1"):
        toy()


def test_a_disk_filled_by_logs_is_not_called_out_of_memory(toy, monkeypatch):
    def full(self, data):
        raise tf.errors.ResourceExhaustedError(None, None, "logs/train; No space left on device")

    monkeypatch.setattr(keras.Model, "train_step", full)
    with pytest.raises(UserError, match=r"The disk is full \(logs/train; No space left on device\)"):
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
    assert lines[2].endswith("at most 0 min 00 s left")


def test_each_part_of_the_key_is_digested_alone():
    one, other = make_key({"a": 1, "b": {"c": 2}}), make_key({"a": 1, "b": {"c": 3}})

    assert one["a"] == other["a"]
    assert one["b"] != other["b"]
    assert "package versions" in one


def test_the_learning_rate_warms_up_and_falls_to_one_percent(default_parameters):
    recipe = {"epochs": 10, "warmup_epochs": 2.0, "learning_rate": 0.1, "decay": "cosine"}
    schedule = make_schedule(TrainingParameters(**{**default_parameters["training"], **recipe}), 10)

    rates = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
    # Half of the cosine lies midway between the peak and a hundredth of it.
    assert rates == pytest.approx([0.001, 0.0505, 0.1, 0.0505, 0.001], abs=1e-6)


def test_a_constant_learning_rate_stays(default_parameters):
    recipe = {"epochs": 10, "warmup_epochs": 0.0, "learning_rate": 0.1, "decay": "constant"}
    schedule = make_schedule(TrainingParameters(**{**default_parameters["training"], **recipe}), 10)

    assert [float(schedule(step)) for step in (0, 50, 100)] == pytest.approx([0.1, 0.1, 0.1])


KILLED = """
import os, signal, sys
from pathlib import Path
from pneumonia.model.weight_average import AveragedCopy
from pneumonia.model.checkpoint import TrainingState
write = TrainingState.write
def killing_write(self, record, arrays):
    write(self, record, arrays)
    if len(record["history"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
TrainingState.write = killing_write
"""


@pytest.mark.slow
def test_a_killed_kedro_run_is_continued_by_the_same_command(tmp_path, copy_project):
    checkout = copy_project(tmp_path / "checkout")
    command = [
        "--env=demo", "--pipeline=training",
        "--params=training.epochs=3,training.deterministic=true,inputs.image_size=64,model.name=separable_cnn",
    ]  # fmt: skip
    prefix = [sys.executable, "-c"]
    run = "import sys; from kedro.framework.cli import main; sys.argv = ['kedro', 'run', *sys.argv[1:]]; main()"

    killed = subprocess.run([*prefix, KILLED + run, *command], cwd=checkout, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    continued = subprocess.run([*prefix, run, *command], cwd=checkout, capture_output=True, text=True, check=True)
    assert "Continuing after 2 of 3 epochs" in continued.stdout + continued.stderr
    first = max((checkout / "data/demo/06_models/pneumonia_model.keras").glob("*/*.keras"))
    subprocess.run([*prefix, run, *command], cwd=checkout, check=True, capture_output=True)
    second = max((checkout / "data/demo/06_models/pneumonia_model.keras").glob("*/*.keras"))

    assert first != second
    pairs = zip(*(keras.models.load_model(path).get_weights() for path in (first, second)), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
