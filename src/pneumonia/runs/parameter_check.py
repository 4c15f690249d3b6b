"""Parameters that are misspelt or impossible are refused, all at once, before anything is read."""

import difflib
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.config import MissingConfigException
from pydantic import ValidationError

from pneumonia.base.errors import UserError, hide_credentials
from pneumonia.base.parameters import Parameters
from pneumonia.model.networks import check_name


def check_parameters(loader: Any) -> None:
    """Check all parameters as merged from the files and ``--params``.

    Args:
        loader: Kedro's configuration loader.

    Raises:
        UserError: Naming each wrong key, the value given, and the nearest right key; or an environment or a network
            that does not exist.
    """
    try:
        given = loader["parameters"]
    except MissingConfigException as error:
        conf = Path(loader.conf_source)
        known = _environments(conf)
        advice = (
            f"Known: {', '.join(known)}."
            if "base" in known
            else "Name the folder or archive of the configuration by --conf-source=PATH."
        )
        raise UserError(f"There is no environment {loader.env or 'local'} in {conf}. {advice}") from error
    try:
        parameters = Parameters.model_validate(given)
    except ValidationError as error:
        problems = "\n".join(dict.fromkeys(f"  {_explain(problem)}" for problem in error.errors()))
        raise UserError(
            f"These parameters are invalid; nothing was run:\n{problems}\n"
            "See conf/base/parameters*.yml for the keys, their units and defaults."
        ) from error
    check_name(parameters.model.name)
    address = loader.runtime_params.get("images") or loader["globals"]["images"]
    if _named(parameters.images) != _named(address):
        raise UserError(
            f"The parameter images is {hide_credentials(str(parameters.images))!r}, but the images are read from "
            f"{hide_credentials(str(address))!r}. "
            "Set it by --params=images=PATH, or in conf/local/globals.yml, not in a parameters file."
        )


def _named(images: Any) -> str | dict[str, str]:
    """Return one address, or those of several sources by name."""
    return {str(name): str(path) for name, path in images.items()} if hasattr(images, "items") else str(images)


def _environments(conf: Path) -> list[str]:
    """Name the environments of a configuration, which is a folder or the archive that `kedro package` makes."""
    if conf.is_dir():
        return sorted(folder.name for folder in conf.iterdir() if folder.is_dir())
    if not conf.is_file() or not tarfile.is_tarfile(conf):
        return []
    with tarfile.open(conf) as archive:
        folders = [PurePosixPath(member.name) for member in archive if member.isdir()]
    return sorted(folder.name for folder in folders if len(folder.parts) == 2)


def _explain(problem: Any) -> str:
    """Put one problem that pydantic found in words: key, what is wrong, what was given."""
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if location[:1] == ["images"]:
        given = f"(given: {problem['input']!r})"
        return f"images: must be a path, or a path for each name; a number is written as ./2024 {given}"
    if problem["type"] == "extra_forbidden":
        siblings = _keys_of(location[:-1])
        nearest = difflib.get_close_matches(location[-1], siblings, n=1)
        hint = f"did you mean {'.'.join([*location[:-1], nearest[0]])}?" if nearest else f"known: {siblings}"
        return f"{key}: no such parameter; {hint}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {problem['msg']} (given: {problem['input']!r})"


def _keys_of(location: list[str]) -> list[str]:
    """Return the keys that a group of parameters has."""
    group: Any = Parameters
    for part in location:
        group = group.model_fields[part].annotation
    return sorted(getattr(group, "model_fields", {}))
