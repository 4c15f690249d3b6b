"""Other places: their names, and the groups of parameters of a test and of an adaptation there.

A name that is kept can also be given, in a file of parameters and on a command line.
"""

import re
from typing import Annotated, Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BeforeValidator, Field
from yaml import YAMLError

from pneumonia.base.data_parameters import Group, Patterns, Share

MOST_SIGNS = 60
AUTO, NONE = "auto", "none"
OWN = "own images"  # those that a model was first trained on are a place too
_OTHER_SIGNS = re.compile(r"[^\w.+() -]+")


def plain_place(source: str) -> str:
    """Return a name for the place of a folder or archive: its own, as far as it is one that can be given.

    >>> plain_place("ward 3, east.zip"), plain_place("2024")
    ('ward 3- east.zip', 'place-2024')
    """
    plain = _OTHER_SIGNS.sub("-", source)[:MOST_SIGNS].strip()
    return plain if _fault_of(plain) is None else f"place-{plain}"[:MOST_SIGNS].strip()


def check_place(name: Any) -> str:
    """Return the name of a place, as it is given.

    Raises:
        ValueError: If it is none by which the place could be named again, with the reason.
    """
    fault = _fault_of(name) if name != AUTO else None
    if fault is not None:
        raise ValueError(fault)
    return str(name)


def check_chosen_place(name: Any) -> str:
    """Return the name of the place whose operating point is used, or "none"; raise as `check_place` does."""
    return NONE if name == NONE else check_place(name)


def _fault_of(name: Any) -> str | None:
    """Say why a name cannot be that of a place; None if it can."""
    if not isinstance(name, str):
        return "is read as a number or a truth value: put a letter or a word before it"
    if len(name) > MOST_SIGNS:
        return f"has {len(name)} characters: a name has at most {MOST_SIGNS}"
    if name in ("", AUTO, NONE, OWN):
        return f"a place cannot be called {name!r}, which means something else: choose another name"
    if "," in name:
        return "has a comma, at which --params would cut it: leave the comma out"
    if _OTHER_SIGNS.search(name) or name != name.strip() or not _reads_as_itself(name):
        return "may have letters, digits, spaces within and . + - ( ) _, and must not read as a number or a truth value"
    return None


def _reads_as_itself(name: str) -> bool:
    try:
        given = OmegaConf.to_container(OmegaConf.from_dotlist([f"place={name}"]))
    except (OmegaConfBaseException, YAMLError):
        return False
    return given == {"place": name}


Place = Annotated[str, BeforeValidator(check_place)]
ChosenPlace = Annotated[str, BeforeValidator(check_chosen_place)]


class ExternalParameters(Group):
    """How a model is tested on labelled images of another place."""

    group_patterns: Patterns
    """How to read the group (the patient) from file names, tried before the patterns of ingest; the default reads the
    names of NIH ChestX-ray14, such as 00001281_003. [regular expressions]"""
    recalibrate: bool
    """Also fit a calibration and a threshold on these images, keep them under the name of the place, and report what
    they are worth, by cross-fitting over halves of the groups."""
    place: Place
    """Name of the place, on the pages and for what is fitted there: at most 60 characters, no comma. auto: the last
    part of the address, other signs replaced; of several sources their names, such as a+b. [auto, or a name]"""


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
    """Share of them that are own training images, so that the network does not forget these; more if otherwise those of
    the place would come more than 45 times each. 0: none, and it forgets. [share]"""
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
