import pytest
from tests.study.conftest import changed, plan_of

from pneumonia.base.errors import UserError
from pneumonia.datasets import RecordDataset
from pneumonia.study.plan import PlanContract


def with_recipe(parameters, changes):
    return changed(
        parameters, {"study": {"recipes": [{"name": "base", "changes": {}}, {"name": "x", "changes": changes}]}}
    )


def test_every_recipe_is_trained_with_every_seed_on_every_fold(parameters):
    tasks = plan_of(parameters)

    assert [(task.recipe, task.seed, task.fold) for task in tasks] == [
        ("base", 0, 1), ("hot", 0, 1), ("base", 0, 2), ("hot", 0, 2),
        ("base", 1, 1), ("hot", 1, 1), ("base", 1, 2), ("hot", 1, 2),
    ]  # fmt: skip
    assert [task.parameters.training.seed for task in tasks] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert {(task.recipe, task.parameters.training.learning_rate) for task in tasks} == {("base", 0.002), ("hot", 0.01)}


def test_a_recipe_changes_what_it_names_and_nothing_else(parameters):
    *_, task = plan_of(with_recipe(parameters, {"inputs.augmentation.crop": 0.5, "imbalance.treatment": "none"}))

    given = task.parameters
    assert (given.inputs.augmentation.crop, given.imbalance.treatment) == (0.5, "none")
    assert given.inputs.augmentation.crop_area == parameters["inputs"]["augmentation"]["crop_area"]
    assert parameters["inputs"]["augmentation"]["crop"] != 0.5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ingest.seed": 1}, "changes ingest.seed, but a recipe can only change parameters of"),
        ({"training.seed": 1}, "seeds are named by study.seeds"),
        ({"training.epoch": 1}, r"'x' is wrong: training\.epoch: Extra inputs are not permitted"),
        ({"training.epochs": 0}, r"'x' is wrong: training\.epochs: .*greater than or equal to 1 \(given: 0\)"),
        ({"epochs": 1}, "changes epochs, but"),
    ],
)
def test_a_recipe_that_is_wrong_is_named_with_what_is_wrong(parameters, changes, said):
    with pytest.raises(UserError, match=said):
        plan_of(with_recipe(parameters, changes))


def test_a_plan_that_was_saved_has_its_types_again(parameters, tmp_path):
    dataset, plan = RecordDataset(filepath=str(tmp_path / "study_plan.json")), plan_of(parameters)
    dataset.save(plan)

    assert PlanContract().validate(dataset.load()) == plan
    with pytest.raises(UserError, match=r"study_plan .*0\.recipe.*--pipelines=study"):
        PlanContract().validate([{**dataset.load()[0], "recipe": 1}])


def test_two_recipes_that_are_the_same_are_refused(parameters):
    learning_rate = parameters["training"]["learning_rate"]
    with pytest.raises(UserError, match="The recipes 'base' and 'x' are the same"):
        plan_of(with_recipe(parameters, {"training.learning_rate": learning_rate}))


@pytest.mark.parametrize(
    "study",
    [{"seeds": [1, 1]}, {"recipes": [{"name": "a", "changes": {}}, {"name": "a", "changes": {}}]}, {"seeds": []}],
)
def test_a_study_that_names_something_twice_or_nothing_is_refused(parameters, study):
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        plan_of(changed(parameters, {"study": study}))


def test_where_the_folds_are_blocks_there_are_five_with_every_recipe_and_seed(parameters):
    tasks = plan_of(changed(parameters, {"study": {"folds": "blocks"}}))

    assert len(tasks) == 5 * 2 * 2
    assert [task.fold for task in tasks if str(task).startswith("base, seed 0")] == [1, 2, 3, 4, 5]
    assert str(tasks[-1]) == "hot, seed 1, stretch 5 of 5"


def test_where_the_folds_are_sites_every_site_is_left_out_once(parameters):
    tasks = plan_of(changed(parameters, {"study": {"folds": "site", "seeds": [0]}}))

    left_out = [one for task in tasks for one in task.of_sites(["a", "b"])]
    assert [(one.recipe, one.site, one.label["fold"]) for one in left_out] == [
        ("base", "a", 1), ("base", "b", 2), ("hot", "a", 1), ("hot", "b", 2),
    ]  # fmt: skip
    assert str(left_out[1]) == "base, seed 0, without b"
    assert left_out[1].measured == "AUC at b"  # on images of the site that it never saw, not of its validation
    assert tasks[0].measured == "validation AUC"
    with pytest.raises(UserError, match="one site"):
        tasks[0].of_sites([])
