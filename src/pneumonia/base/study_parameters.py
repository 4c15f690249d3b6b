"""The groups of parameters of studies, and of where work is done and tracked."""

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
    folds: Annotated[int, Field(ge=1, le=20)] | Literal["site", "blocks"]
    """1: the split of the manifest. More: train and val are divided by group into this many folds, each of which is val
    once. site: every site is val once, for a network that saw no image of it. blocks: five folds, each a whole stretch
    of the groups of each class in the order of the numbers in their names. [folds, site or blocks]"""
    external: Annotated[str, Field(min_length=1)]
    """Labelled images from elsewhere on which the models are also evaluated. If recipes are chosen by them, they can no
    longer serve as a test. [none, folder, zip or address]"""

    @model_validator(mode="after")
    def _no_name_or_seed_twice(self) -> Self:
        names = [recipe.name for recipe in self.recipes]
        if len(set(names)) < len(names):
            raise ValueError("two recipes have the same name")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is named twice")
        return self


class EngineParameters(Group):
    """Where the trainings of a study, and work on files, run."""

    address: Annotated[str, Field(min_length=1)]
    """A Dask scheduler to which work is sent, such as tcp://10.0.0.5:8786 (needs the extra cluster). [none, or an
    address]"""
    pool: Literal["processes", "threads"]
    """Whether trainings on this machine run in processes or threads. A process that is killed is replaced; threads
    start faster."""
    workers: Annotated[int, Field(ge=1, le=1024)]
    """Trainings at the same time on this machine. Each uses all cores that it finds. [trainings]"""


class MlflowParameters(Group):
    """Tracking of runs that train or judge a model in MLflow, which needs the extra mlflow."""

    tracking_uri: Annotated[str, Field(min_length=1)]
    """Where runs are tracked: a server, or a file such as sqlite:///data/mlflow.db. none: nowhere. [none, or a URI of
    MLflow]"""
    experiment: Annotated[str, Field(min_length=1)]
    """Name of the experiment there; made if there is none. [text]"""
    registered_model: Annotated[str, Field(min_length=1)]
    """Name under which every evaluated model is registered as a new version. none: it is only logged with its run.
    [none, or a name]"""
