"""Names of places: one that is kept can also be given, in a file of parameters and on a command line."""

import re
from typing import Annotated, Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BeforeValidator
from yaml import YAMLError

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
