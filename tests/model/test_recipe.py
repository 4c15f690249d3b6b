import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.model.recipe import check_class_weights, choose_etiologies, make_recipe


def manifest_of(*etiologies):
    """A manifest of one normal image and positive ones of these etiologies, all in train."""
    kinds = ["none", *etiologies]
    target = [int(kind != "none") for kind in kinds]
    label = ["PNEUMONIA" if positive else "NORMAL" for positive in target]
    return pd.DataFrame({"etiology": kinds, "target": target, "label": label, "split": "train"})


def recipe_of(parameters, *etiologies):
    """The recipe of these parameters, with a positive image of each etiology."""
    given = Parameters.model_validate(parameters)
    weights = {"NORMAL": 1.0, "PNEUMONIA": 1.0}
    return make_recipe(manifest_of(*etiologies), weights, given.inputs, given.model, given.training)


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
        recipe_of(given, "virus", "bacteria")


def test_members_have_seeds_of_their_own(default_parameters):
    recipe = recipe_of(default_parameters, "virus", "bacteria")
    assert [recipe.of_member(number).training.seed for number in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("training", "sizes"),
    [
        ({"epochs": 20, "full_size": 0.15}, [96] * 17 + [128] * 3),
        ({"epochs": 2, "full_size": 0.0}, [96] * 2),
        ({"epochs": 2, "full_size": 1.0}, [128] * 2),
        ({"epochs": 1, "full_size": 0.15}, [96]),
    ],
)
def test_the_last_epochs_have_images_of_full_size(default_parameters, training, sizes):
    given = {**default_parameters, "training": {**default_parameters["training"], **training}}

    assert recipe_of(given, "virus", "bacteria").sizes == sizes


# 8 and 16 images in train: n / (2 n_c) is 1.5 and 0.75.
COUNTED = pd.DataFrame(
    {"label": ["NORMAL"] * 8 + ["PNEUMONIA"] * 16 + ["NORMAL"] * 9, "split": ["train"] * 24 + ["val"] * 9}
)


@pytest.mark.parametrize("weights", [{"NORMAL": 1.5, "PNEUMONIA": 0.75}, {"NORMAL": 1.0, "PNEUMONIA": 1.0}])
def test_class_weights_of_this_split_and_of_none_are_accepted(weights):
    check_class_weights(weights, COUNTED)


@pytest.mark.parametrize(
    ("weights", "mean"),
    [({"NORMAL": 0.75, "PNEUMONIA": 1.5}, "1.25"), ({"NORMAL": 1.5}, "nan")],
)
def test_class_weights_that_were_counted_on_another_split_are_refused(weights, mean):
    with pytest.raises(
        UserError,
        match=rf"the mean weight of its training images would be {mean}, not 1\. Compute .*--pipelines=imbalance",
    ):
        check_class_weights(weights, COUNTED)
