import numpy as np
import pytest

from pneumonia.datasets import TrainingStateDataset
from pneumonia.errors import UserError


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


def test_removing_twice_is_no_error(state):
    state.write({}, {})
    state.remove()
    state.remove()

    assert state.read() is None


def test_nothing_is_saved_through_the_catalog(tmp_path):
    with pytest.raises(UserError, match="written by the training itself"):
        TrainingStateDataset(filepath=str(tmp_path / "state.npz")).save({})
