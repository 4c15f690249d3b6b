"""Which trainings a study consists of."""

from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.base.study_parameters import RecipeChanges

CHANGEABLE = ("imbalance", "inputs", "model", "training")


@dataclass(frozen=True)
class Task:
    """One training of a study.

    Attributes:
        recipe: Its name.
        seed: Of the training.
        fold: Which part of train and val is val, from 1; 1 where the split is that of the manifest.
        parameters: With what the recipe changes, and the seed.
    """

    recipe: str
    seed: int
    fold: int
    parameters: Parameters

    @property
    def label(self) -> dict[str, str | int]:
        """What tells it from other trainings of the study."""
        return {"recipe": self.recipe, "seed": self.seed, "fold": self.fold}

    def __str__(self) -> str:
        """Name it for messages."""
        fold = f", fold {self.fold} of {self.parameters.study.folds}" if self.parameters.study.folds > 1 else ""
        return f"{self.recipe}, seed {self.seed}{fold}"


def plan_tasks(parameters: dict[str, Any]) -> list[Task]:
    """List every recipe with every seed on every fold; all recipes of a seed and fold come one after the other.

    Args:
        parameters: All of them, unchanged.

    Raises:
        UserError: If a recipe changes what is no parameter, gives one an impossible value, or is the same as another.
    """
    study = Parameters.model_validate(parameters).study
    changed = {recipe.name: change_parameters(parameters, recipe) for recipe in study.recipes}
    _refuse_twins(changed)
    return [
        Task(name, seed, fold, _with_seed(changed[name], seed))
        for seed, fold, name in product(study.seeds, range(1, study.folds + 1), changed)
    ]


def _refuse_twins(changed: dict[str, Parameters]) -> None:
    names = list(changed)
    for number, name in enumerate(names):
        twin = next((other for other in names[:number] if changed[other] == changed[name]), None)
        if twin is not None:
            raise UserError(f"The recipes {twin!r} and {name!r} are the same: change one of them, or leave it out.")


def _with_seed(parameters: Parameters, seed: int) -> Parameters:
    return parameters.model_copy(update={"training": parameters.training.model_copy(update={"seed": seed})})


def change_parameters(parameters: dict[str, Any], recipe: RecipeChanges) -> Parameters:
    """Return all parameters as a recipe changes them.

    Raises:
        UserError: Naming the recipe and the parameter.
    """
    changed: dict[str, Any] = dict(parameters)
    for name, value in recipe.changes.items():
        *groups, last = name.split(".")
        if not groups or groups[0] not in CHANGEABLE or name == "training.seed":
            raise UserError(
                f"The recipe {recipe.name!r} changes {name}, but a recipe can only change parameters of "
                f"{', '.join(CHANGEABLE)}, by names such as training.epochs; seeds are named by study.seeds."
            )
        group = changed
        for part in groups:
            group[part] = dict(group.get(part, {}))
            group = group[part]
        group[last] = value
    try:
        return Parameters.model_validate(changed)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']} (given: {problem['input']!r})"
            for problem in error.errors()
        )
        raise UserError(f"The recipe {recipe.name!r} is wrong: {problems}.") from error
