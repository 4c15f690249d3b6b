"""Which trainings a study consists of."""

from collections.abc import Sequence
from itertools import product
from typing import ClassVar, Literal

from pydantic import ValidationError

from pneumonia.base.contract import TypedContract
from pneumonia.base.data_parameters import Group
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import (
    EvaluationParameters,
    ImbalanceParameters,
    InputsParameters,
    ModelParameters,
    TrainingParameters,
)
from pneumonia.base.study_parameters import RecipeChanges, StudyParameters
from pneumonia.split.folds import BLOCKS, N_BLOCKS


class Changeable(Group):
    """The groups of parameters that a recipe of a study may change."""

    imbalance: ImbalanceParameters
    inputs: InputsParameters
    model: ModelParameters
    training: TrainingParameters


class Task(Group):
    """One training of a study: a record that JSON can hold.

    Attributes:
        recipe: Its name.
        seed: Of the training.
        fold: Which part of train and val is val, from 1; 1 where the split is that of the manifest.
        folds: How many there are; or site: one for each site; or blocks: five stretches of consecutive numbers.
        site: The site that is left out and judged on, where the folds are sites.
        external: Where images of another place are, on which the network is judged as well; or none.
        parameters: With what the recipe changes, and the seed.
        evaluation: How the network is judged.
    """

    recipe: str
    seed: int
    fold: int
    folds: int | Literal["site", "blocks"]
    external: str
    site: str = ""
    parameters: Changeable
    evaluation: EvaluationParameters

    @property
    def label(self) -> dict[str, str | int]:
        """What tells it from other trainings of the study."""
        site = {"site": self.site} if self.site else {}
        return {"recipe": self.recipe, "seed": self.seed, "fold": self.fold, **site}

    @property
    def measured(self) -> str:
        """What messages tell of its result: the AUC on validation, or at the site that it never saw."""
        return f"AUC at {self.site}" if self.site else "validation AUC"

    def __str__(self) -> str:
        """Name it for messages."""
        if self.site:
            return f"{self.recipe}, seed {self.seed}, without {self.site}"
        if self.folds == BLOCKS:
            return f"{self.recipe}, seed {self.seed}, stretch {self.fold} of {N_BLOCKS}"
        fold = f", fold {self.fold} of {self.folds}" if self.folds not in (1, "site") else ""
        return f"{self.recipe}, seed {self.seed}{fold}"

    def of_sites(self, sites: Sequence[str]) -> list["Task"]:
        """Return this training once for each site, which is then left out; this one alone where folds are no sites.

        Raises:
            UserError: If there is only one site.
        """
        if self.folds != "site":
            return [self]
        if len(sites) < 2:
            raise UserError(
                "study.folds is site, but the images are of one site. Name several: "
                "--params=images.ONE=PATH,images.OTHER=PATH."
            )
        return [self.model_copy(update={"fold": number, "site": site}) for number, site in enumerate(sites, 1)]


class PlanContract(TypedContract):
    """Gives a plan that was saved its types again.

    Example:
    ```yaml
    study_plan:
      type: pneumonia.datasets.RecordDataset
      filepath: data/06_models/study_plan.json
      validator: pneumonia.study.plan.PlanContract
    ```
    """

    name: ClassVar[str] = "record study_plan"
    layout = list[Task]
    remedy: ClassVar[str] = "or make it again: kedro run --pipelines=study"


def plan_study(
    study: StudyParameters,
    imbalance: ImbalanceParameters,
    inputs: InputsParameters,
    model: ModelParameters,
    training: TrainingParameters,
    evaluation: EvaluationParameters,
) -> list[Task]:
    """List every recipe with every seed on every fold; all recipes of a seed and fold come one after the other.

    Args:
        study: Recipes, seeds and folds.
        imbalance: What recipes change, as are the next three.
        inputs: The same.
        model: The same.
        training: The same.
        evaluation: How each network is judged.

    Raises:
        UserError: If a recipe changes what is no parameter, gives one an impossible value, or is the same as another.
    """
    given = Changeable(imbalance=imbalance, inputs=inputs, model=model, training=training)
    changed = {recipe.name: change_parameters(given, recipe) for recipe in study.recipes}
    folds = {"site": 1, BLOCKS: N_BLOCKS}.get(str(study.folds)) or int(study.folds)
    _refuse_twins(changed)
    return [
        Task(
            recipe=name,
            seed=seed,
            fold=fold,
            folds=study.folds,
            external=study.external,
            parameters=_with_seed(changed[name], seed),
            evaluation=evaluation,
        )
        for seed, fold, name in product(study.seeds, range(1, folds + 1), changed)
    ]


def _refuse_twins(changed: dict[str, Changeable]) -> None:
    names = list(changed)
    for number, name in enumerate(names):
        twin = next((other for other in names[:number] if changed[other] == changed[name]), None)
        if twin is not None:
            raise UserError(f"The recipes {twin!r} and {name!r} are the same: change one of them, or leave it out.")


def _with_seed(parameters: Changeable, seed: int) -> Changeable:
    return parameters.model_copy(update={"training": parameters.training.model_copy(update={"seed": seed})})


def change_parameters(given: Changeable, recipe: RecipeChanges) -> Changeable:
    """Return the parameters as a recipe changes them.

    Raises:
        UserError: Naming the recipe and the parameter.
    """
    changed = given.model_dump()
    for name, value in recipe.changes.items():
        *groups, last = name.split(".")
        if not groups or groups[0] not in changed or name == "training.seed":
            raise UserError(
                f"The recipe {recipe.name!r} changes {name}, but a recipe can only change parameters of "
                f"{', '.join(changed)}, by names such as training.epochs; seeds are named by study.seeds."
            )
        group = changed
        for part in groups:
            group[part] = dict(group.get(part, {}))
            group = group[part]
        group[last] = value
    try:
        return Changeable.model_validate(changed)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']} (given: {problem['input']!r})"
            for problem in error.errors()
        )
        raise UserError(f"The recipe {recipe.name!r} is wrong: {problems}.") from error
