import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.datasets import TrainingStateDataset


@pytest.fixture
def state(tmp_path):
    return TrainingStateDataset(filepath=str(tmp_path / "state.npz")).load()


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


def test_the_state_of_a_training_that_is_over_is_removed_with_those_of_its_members(state):
    for part in (state, state.of_member(0)):
        part.write({"finished": True}, {})
    state.remove_finished()
    state.remove_finished()

    assert not list(state.path.parent.glob("*.npz"))


def test_the_state_of_another_training_that_goes_on_is_not_removed(state):
    for record in ({"finished": False}, {}):
        state.write(record, {})
        state.remove_finished()

        assert state.read() is not None


def test_two_trainings_cannot_share_a_state(state):
    with state.lock(), pytest.raises(UserError, match="Another training is running here"), state.lock():
        pass
    with state.lock():
        pass


def test_nothing_is_saved_through_the_catalog(tmp_path):
    with pytest.raises(UserError, match="written by the training itself"):
        TrainingStateDataset(filepath=str(tmp_path / "state.npz")).save({})
