import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.model.recipe import choose_etiologies, make_recipe


def manifest_of(*etiologies):
    """A manifest of one normal image and positive ones of these etiologies, all in train."""
    kinds = ["none", *etiologies]
    return pd.DataFrame({"etiology": kinds, "target": [int(kind != "none") for kind in kinds], "split": "train"})


@pytest.mark.parametrize(
    ("etiologies", "chosen"),
    [
        (("virus", "bacteria", "bacteria"), ("bacteria", "virus")),
        (("virus", "bacteria", "unknown"), ()),
        (("bacteria", "bacteria"), ()),
        (("unknown",), ()),
    ],
)
def test_etiologies_are_learned_where_every_positive_has_one(etiologies, chosen):
    assert choose_etiologies(manifest_of(*etiologies), "auto") == chosen


def test_the_two_classes_are_learned_where_that_is_asked_for():
    assert choose_etiologies(manifest_of("virus", "bacteria"), "class") == ()


def test_etiologies_that_are_asked_for_and_unknown_are_refused_with_their_number():
    with pytest.raises(UserError, match=r"etiology of 1 of 3 "):
        choose_etiologies(manifest_of("virus", "bacteria", "unknown"), "etiology")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "resnet50"}}, "known networks: .*efficientnetv2_b0"),
        ({"model": {"weights": "imagenet"}}, "no pretrained weights for residual_cnn"),
        ({"model": {"name": "separable_cnn"}}, "set training.image_scale to 1"),
        ({"inputs": {"image_size": 32}}, "Training images would have 24 px"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_before_training(default_parameters, changes, message):
    given = {
        name: {**group, **changes.get(name, {})} if isinstance(group, dict) else group
        for name, group in default_parameters.items()
    }
    with pytest.raises(UserError, match=message):
        make_recipe(Parameters.model_validate(given), {}, manifest_of("virus", "bacteria"))


def test_members_have_seeds_of_their_own(default_parameters):
    recipe = make_recipe(Parameters.model_validate(default_parameters), {}, manifest_of("virus", "bacteria"))
    assert [recipe.of_member(number).training.seed for number in range(3)] == [0, 1, 2]
    assert recipe.training_size == 96
