import shutil

import numpy as np
import pytest

from pneumonia.base.environment import tell_difference
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.model.checkpoint import TrainingStates, describe_training, key_of
from pneumonia.model.recipe import Recipe


@pytest.fixture
def description(default_parameters):
    """The description of the default training, with changes of one group."""

    def describe(group="training", **changes):
        given = Parameters.model_validate({**default_parameters, group: {**default_parameters[group], **changes}})
        recipe = Recipe(inputs=given.inputs, model=given.model, training=given.training, class_weights={"NORMAL": 1.0})
        return describe_training(recipe, "digest", "pixels", "float32")

    return describe


@pytest.mark.parametrize(
    ("group", "changes"),
    [
        ("training", {"seed": 1}),
        ("training", {"epochs": 3}),
        ("inputs", {"image_size": 96}),
        ("model", {"weights": "imagenet"}),
    ],
)
def test_what_changes_the_result_changes_the_key(description, group, changes):
    assert key_of(description(group, **changes)) != key_of(description())


@pytest.mark.parametrize(
    ("group", "changes"),
    [("training", {"restart": True}), ("training", {"tensorboard": True}), ("inputs", {"memory_limit_mb": 0})],
)
def test_what_does_not_change_the_result_does_not_change_the_key(description, group, changes):
    assert key_of(description(group, **changes)) == key_of(description())


def test_the_code_and_the_releases_are_part_of_the_key(description, monkeypatch):
    before = key_of(description())
    monkeypatch.setattr("pneumonia.model.checkpoint.digest_of_code", lambda *_: "other code")
    assert key_of(description()) != before
    assert {"releases.tensorflow", "releases.keras", "manifest", "pixels", "precision"} <= set(description())


def test_a_difference_is_told_by_name_with_both_values():
    ours = {"training.epochs": 3, "training.seed": 0}
    assert tell_difference(ours, {**ours, "training.epochs": 5}) == "training.epochs 3 instead of 5"


def test_of_many_differences_three_are_told():
    ours = dict.fromkeys("abcde", 1)
    told = tell_difference(ours, dict.fromkeys("abcde", 2))
    assert told == "a 1 instead of 2, b 1 instead of 2, c 1 instead of 2 and 2 more"


def test_another_content_of_the_weights_file_changes_the_key(description, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"one")
    one = key_of(description("model", weights=str(path)))
    path.write_bytes(b"other")

    assert key_of(description("model", weights=str(path))) != one


def test_the_state_of_another_training_in_the_place_of_one_is_refused(tmp_path):
    states = TrainingStates(tmp_path, tmp_path / "logs")
    first, second = states.of("key", 1001), states.of("key", 1002)
    first.write({"history": []}, {"best": [np.ones(2)]})
    record, arrays = first.read()
    assert (record, arrays["best"][0].tolist()) == ({"history": []}, [1, 1])

    shutil.copy(first.path, second.path)
    with pytest.raises(UserError, match=rf"^{second.path} .*elsewhere \(it was written as {first.path.name}\)"):
        second.read()


def test_a_state_with_the_mark_of_encryption_is_damaged(tmp_path):
    state = TrainingStates(tmp_path, tmp_path / "logs").of("key")
    state.write({"history": []}, {"best": [np.ones(2)]})
    content = bytearray(state.path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    state.path.write_bytes(content)

    with pytest.raises(UserError, match=rf"^{state.path} is damaged .*encrypted.*Remove it"):
        state.read()


def test_what_is_in_the_place_of_a_state_is_not_called_damaged(tmp_path):
    state = TrainingStates(tmp_path, tmp_path / "logs").of("key")
    state.path.mkdir()

    with pytest.raises(UserError, match=rf"^{state.path}: Is a folder\. Move away what is in its place"):
        state.read()
