"""Configuration whose faults are reported before anything is read, in one sentence that names the file.

Parameters that are misspelt or impossible are refused, all at once.
"""

import difflib
import glob
import io
import os
import stat
import tarfile
import threading
from codecs import BOM_UTF8
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from fsspec.implementations.local import LocalFileSystem
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.io import DatasetError
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.validation.core import resolve_validator
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from pneumonia.base.errors import UserError, hide_credentials
from pneumonia.base.files import is_missing
from pneumonia.base.parameters import Parameters
from pneumonia.model.networks import check_name
from pneumonia.runs.errors import causes, plainly

# OmegaConf has one set of resolvers for the whole process: without it, a request to Kedro's server could be given the
# images of another that is read at the same time.
_resolving = threading.RLock()

# Of the files that Kedro reads.
_SUFFIXES = (".yml", ".yaml", ".json")


class _Folder(LocalFileSystem):
    """The files of this machine; the path of one folder is no pattern, whatever signs are in it."""

    cachable = False

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def glob(self, path: str, **options: Any) -> Any:
        below = path.removeprefix(self._folder)
        return super().glob(glob.escape(self._folder) + below if below != path else path, **options)


class PlainConfigLoader(OmegaConfigLoader):
    """Kedro's loader with plain errors; by itself it names only some faulty files, and always ends in a traceback."""

    @plainly
    def __init__(self, conf_source: str, *args: Any, **kwargs: Any) -> None:
        """Open the configuration.

        Raises:
            UserError: If it is a damaged archive, or Kedro would pass over something in it that cannot be read.
        """
        try:
            with _resolving:
                super().__init__(conf_source, *args, **kwargs)
        except (tarfile.TarError, EOFError, OSError) as error:
            if Path(conf_source).is_dir():
                raise
            raise UserError(f"{conf_source} cannot be read ({error}). Copy the configuration archive again.") from error
        for folder in self._folders() if Path(conf_source).is_dir() else ():
            if fault := find_passed_over(folder):
                raise UserError(f"{fault}, so its settings would be passed over. Nothing was run.")

    @plainly
    def __getitem__(self, key: str) -> dict[str, Any]:
        """Load one kind of configuration.

        Raises:
            UserError: If a file is not YAML, lacks keys and values, or refers to something that does not exist; if an
                entry of the catalog has no type.
        """
        try:
            with _resolving:
                self._register_globals_resolver()
                found: dict[str, Any] = super().__getitem__(key)
        except (YAMLError, OmegaConfBaseException, ValueError, AttributeError, OSError) as error:
            fault = find_fault(self._files(key))
            if fault is None and isinstance(error, AttributeError | OSError):
                raise
            value = getattr(error, "full_key", None)
            said = f"{value} in {self.conf_source}: {_first_line(error)}" if value else _first_line(error)
            raise UserError(f"{fault or said}. Nothing was run.") from error
        for name, entry in found.items() if key == "catalog" else ():
            if not name.startswith("_") and not (isinstance(entry, dict) and "type" in entry):
                raise UserError(f"The catalog entry {name} in {self.conf_source} has no type. Nothing was run.")
        return found

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        """Take the path of a folder as it is written, where Kedro would take `[1]`, `*` or `?` in it for a pattern."""
        file_system, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return (_Folder(str(conf_source)), protocol) if protocol == "file" else (file_system, protocol)

    def _files(self, key: str) -> list[Path]:
        """Find the files of one kind; none if the configuration is an archive."""
        patterns = self.config_patterns[key]
        found = {file for folder in self._folders() for pattern in patterns for file in folder.glob(pattern)}
        return sorted(file for file in found if file.suffix in _SUFFIXES and file.is_file())

    def _folders(self) -> list[Path]:
        return [Path(self.conf_source) / env for env in (self.base_env, self.env or self.default_run_env)]


def find_passed_over(folder: Path) -> str | None:
    """Say what in a folder of configuration cannot be read, and would be passed over; None if there is nothing."""
    faults: list[str] = []
    for place, folders, files in os.walk(
        folder, onerror=lambda error: faults.append(f"{error.filename} cannot be read ({error.strerror})")
    ):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = [Path(place, name) for name in (*folders, *files) if not name.startswith(".")]
        for path in (path for path in names if path.suffix in (*_SUFFIXES, "")):
            try:
                status = path.stat()
                if path.suffix and not stat.S_ISREG(status.st_mode):
                    return f"{path} is not a file"
                if path.suffix and not path.read_bytes().removeprefix(BOM_UTF8).strip():
                    return f"{path} is empty (without settings, remove it or leave a comment)"
            except OSError as error:
                return f"{path} cannot be read ({error.strerror}{', a link' if path.is_symlink() else ''})"
    return faults[0] if faults and not is_missing(folder) else None


def find_fault(files: Iterable[Path]) -> str | None:
    """Say which of several YAML files is faulty, and where; None if each contains keys and values, as it should."""
    for file in files:
        try:
            content = OmegaConf.load(io.StringIO(file.read_text(encoding="utf-8")))
        except (YAMLError, OmegaConfBaseException, ValueError, OSError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f" at line {mark.line + 1}" if mark else ""
            return f"{file} cannot be read{line}: {getattr(error, 'problem', None) or _first_line(error)}"
        if not isinstance(content, DictConfig) or not all(isinstance(key, str) for key in content):
            return f"{file} does not consist of named values"
    return None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".")


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
    _check_addresses(_named(address))
    if _named(parameters.images) != _named(address):
        raise UserError(
            f"The parameter images is {hide_credentials(str(parameters.images))!r}, but the images are read from "
            f"{hide_credentials(str(address))!r}. "
            "Set it by --params=images=PATH, or in conf/local/globals.yml, not in a parameters file."
        )


def check_entries(pipeline: Pipeline, catalog: Any) -> None:
    """Check the entries of a catalog that a run uses: their types exist and have the arguments that are set.

    What only nodes of the run read needs no entry; as ever in Kedro, it is then kept in memory.

    Raises:
        UserError: Naming the first one that is missing or cannot be used, and why.
    """
    needed = pipeline.inputs() | pipeline.outputs()
    for name in sorted(pipeline.datasets()):
        try:
            found = catalog.get(name)
            if name in catalog.validator_specs:
                resolve_validator(catalog.validator_specs[name])
        except DatasetError as error:
            *_, reason = causes(error)
            said = _first_line(reason).partition(". ")[0]
            raise UserError(f"The catalog entry {name} cannot be used: {said}. Nothing was run.") from error
        if found is None and name in needed and not is_parameter(name):  # it would be lost with the run
            raise UserError(f"The catalog has no entry for {name} (conf/*/catalog*.yml). Nothing was run.")


def _check_addresses(images: str | dict[str, str]) -> None:
    """Check that Kedro, which makes relative paths absolute, can tell each of them from an address."""
    for one in images.values() if isinstance(images, dict) else [images]:
        try:
            urlsplit(one)
        except ValueError as error:
            raise UserError(f"The images are at {hide_credentials(one)}, which is no address ({error}).") from error


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
    return f"{key}: {problem['msg']} (given: {problem['input']!r})" if key else str(problem["msg"])


def _keys_of(location: list[str]) -> list[str]:
    """Return the keys that a group of parameters has."""
    group: Any = Parameters
    for part in location:
        group = group.model_fields[part].annotation
    return sorted(getattr(group, "model_fields", {}))
