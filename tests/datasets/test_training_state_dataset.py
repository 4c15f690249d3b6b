import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.files import PART
from pneumonia.datasets import TrainingStateDataset
from pneumonia.model.checkpoint import TrainingStates, key_of

TRAINING = {"seed": 0}
KEY = key_of(TRAINING)


@pytest.fixture
def dataset(tmp_path):
    return TrainingStateDataset(filepath=str(tmp_path / "states"), tensorboard_logs=str(tmp_path / "logs"))


@pytest.fixture
def states(dataset):
    return dataset.load()


@pytest.fixture
def state(states):
    return states.of("key")


def test_where_nothing_was_trained_there_is_no_state(state):
    assert state.read() is None


def test_record_and_arrays_come_back_as_written(state):
    state.write({"best_epoch": 3}, {"best": [np.arange(3.0), np.array(7)], "variables": []})

    record, arrays = state.read()
    assert record == {"best_epoch": 3}
    np.testing.assert_array_equal(arrays["best"][0], [0.0, 1.0, 2.0])
    assert arrays["best"][1] == 7
    assert arrays["variables"] == []


def test_a_cut_state_is_refused_with_the_way_out(state):
    state.write({}, {"best": [np.arange(1000)]})
    state.path.write_bytes(state.path.read_bytes()[:500])

    with pytest.raises(UserError, match=r"training\.restart=true"):
        state.read()


def test_the_states_of_a_training_that_is_over_are_removed_and_no_others(states):
    for state in (states.of("key"), states.of("key", 1), states.of("other")):
        state.write({}, {})
    states.remove("key")
    states.remove("key")

    assert [path.name for path in states.folder.iterdir()] == ["other.npz"]


def test_the_newest_state_of_another_training_is_found(states):
    import os

    assert states.newest_other("key") is None
    for age, key in enumerate(("key", "new", "old")):
        states.of(key).write({}, {})
        os.utime(states.of(key).path, (1e9 - age, 1e9 - age))

    assert states.newest_other("key") == states.of("new")


def test_states_of_a_training_that_was_started_again_elsewhere_are_not_removed(states):
    states.of(KEY).write({}, {})
    with TrainingStates(states.folder, states.logs).owned(TRAINING):
        states.remove(KEY)
        assert states.files_of(KEY)


def test_the_same_training_cannot_run_twice(dataset, states):
    other = TrainingStates(states.folder, states.logs)
    with states.owned(TRAINING):
        pass
    with pytest.raises(UserError, match="The same training is already running"), other.owned(TRAINING):
        pass
    with other.owned({"seed": 1}):
        pass
    states.remove(KEY)
    with other.owned(TRAINING):
        pass


def test_an_interrupted_training_can_be_continued_at_once(states):
    with pytest.raises(KeyboardInterrupt), states.owned(TRAINING):
        raise KeyboardInterrupt

    with TrainingStates(states.folder, states.logs).owned(TRAINING):
        pass


def test_it_is_one_handle_for_the_whole_run_and_nothing_is_saved_through_the_catalog(dataset):
    assert dataset.load() is dataset.load()
    assert dataset.exists()
    with pytest.raises(UserError, match="written by the training itself"):
        dataset.save({})


@pytest.fixture
def leave_half(states):
    """Leave a half-written state, as a killed process does, and return its path."""

    def leave_half(key):
        path = states.folder / f"{PART}{key}-abcdefgh.npz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        return path

    return leave_half


def test_a_state_that_was_not_finished_is_not_the_state_of_another_training(states, leave_half):
    leave_half("other")

    assert states.newest_other("key") is None
    assert states.files_of("other") == []


def test_a_training_that_goes_on_removes_what_a_kill_left_of_its_own_states_alone(states, leave_half):
    left, others = leave_half(KEY), leave_half("other")
    with states.owned(TRAINING):
        assert not left.exists()

    assert others.exists()
