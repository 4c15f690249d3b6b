"""The groups of parameters of studies, and of where work is done."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pneumonia.base.data_parameters import Group

NONE = "none"


class RecipeChanges(Group):
    """A recipe of a study: a name, and what it changes."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    changes: dict[str, Any]


class StudyParameters(Group):
    """Which trainings a study compares: every recipe with every seed on every fold."""

    recipes: Annotated[tuple[RecipeChanges, ...], Field(strict=False, min_length=1)]
    """The recipes, each with a `name` and `changes`: parameters of `imbalance`, `inputs`, `model` and `training` by
    dotted name. The others are compared with the first. [list]"""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...], Field(strict=False, min_length=1)]
    """Values of training.seed. [integers]"""
    folds: Annotated[int, Field(ge=1, le=20)]
    """1: the split of the manifest. More: train and val are cut into so many folds by group, each of which is val once.
    [folds]"""
    external: Annotated[str, Field(min_length=1)]
    """Labelled images of another place that the models are judged on as well. Recipes that were chosen by them are no
    longer tested by them. [none, folder, zip or address]"""

    @model_validator(mode="after")
    def _no_name_or_seed_twice(self) -> Self:
        names = [recipe.name for recipe in self.recipes]
        if len(set(names)) < len(names):
            raise ValueError("two recipes have the same name")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is named twice")
        return self


class EngineParameters(Group):
    """Where trainings of a study, and work on files, are done."""

    address: Annotated[str, Field(min_length=1)]
    """A Dask scheduler, such as tcp://10.0.0.5:8786, that work is sent to (needs the extra cluster). [none, or an
    address]"""
    pool: Literal["processes", "threads"]
    """What trainings run in on this machine. A process that is killed is replaced; threads start faster."""
    workers: Annotated[int, Field(ge=1, le=1024)]
    """Trainings at once on this machine. Each takes all cores that it finds. [trainings]"""
