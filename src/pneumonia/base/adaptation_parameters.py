"""The group of parameters of an adaptation to another place."""

from typing import Annotated

from pydantic import Field

from pneumonia.base.data_parameters import Group, Share


class AdaptationParameters(Group):
    """How a model is adapted to labelled images of another place."""

    seed: Annotated[int, Field(ge=0)]
    """Seed of the folds, the draws, the order of the images and their random changes. [integer]"""
    epochs: Annotated[int, Field(ge=1)]
    """Passes over the images of an epoch; the learning rate falls along a cosine over all of them. [epochs]"""
    learning_rate: Annotated[float, Field(gt=0)]
    """The highest learning rate. [–]"""
    images: Annotated[int, Field(ge=1)]
    """Images of an epoch. Those of the place are repeated until they fill their share; more of them make it longer.
    [images]"""
    rehearsal: Annotated[float, Field(ge=0, lt=1)]
    """Share of them that are own training images, so that the network does not forget these. 0: it does. [share]"""
    folds: Annotated[int, Field(ge=2, le=20)]
    """Folds of the place's groups: every image is judged by a network that was adapted without its group. [folds]"""
    learning_curve: bool
    """Also adapt to fewer groups, to show what more labelled images would bring; it takes a third of the time."""
    curve_images: Annotated[int, Field(ge=1)]
    """Images that each network on the learning curve sees, none of them own: those of its groups, repeated until there
    are so many. Where a place has more, each sees as many as the largest draw has. [images]"""
    curve_groups: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(strict=False, min_length=1)]
    """Numbers of groups on the learning curve; those that the place does not have are left out. [groups]"""
    curve_draws: Annotated[int, Field(ge=1, le=20)]
    """Draws of groups for each number on the learning curve; the larger contain the smaller. [draws]"""
    interval_width: Share
    """Width of the 95% interval for which the page says how many more labelled images it takes. [share]"""
