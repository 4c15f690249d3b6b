"""Configuration whose faults are reported in one sentence that names the file."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pneumonia.base.errors import UserError
from pneumonia.runs.errors import plainly


class PlainConfigLoader(OmegaConfigLoader):
    """Kedro's loader with plain errors; by itself it names only some faulty files, and always ends in a traceback."""

    @plainly
    def __init__(self, conf_source: str, *args: Any, **kwargs: Any) -> None:
        """Open the configuration.

        Raises:
            UserError: If it is a damaged archive.
        """
        try:
            super().__init__(conf_source, *args, **kwargs)
        except (tarfile.TarError, EOFError, OSError) as error:
            if Path(conf_source).is_dir():
                raise
            raise UserError(f"{conf_source} cannot be read ({error}). Copy the configuration archive again.") from error

    @plainly
    def __getitem__(self, key: str) -> dict[str, Any]:
        """Load one kind of configuration.

        Raises:
            UserError: If a file is not YAML, lacks keys and values, or refers to something that does not exist.
        """
        try:
            return super().__getitem__(key)
        except (YAMLError, OmegaConfBaseException, ValueError, AttributeError, OSError) as error:
            fault = find_fault(self._files(key))
            if fault is None and isinstance(error, AttributeError | OSError):
                raise
            value = getattr(error, "full_key", None)
            said = f"{value} in {self.conf_source}: {_first_line(error)}" if value else _first_line(error)
            raise UserError(f"{fault or said}. Nothing was run.") from error

    def _files(self, key: str) -> list[Path]:
        """Find the files of one kind; none if the configuration is an archive."""
        folders = [Path(self.conf_source) / env for env in (self.base_env, self.env or self.default_run_env)]
        found = {file for folder in folders for pattern in self.config_patterns[key] for file in folder.glob(pattern)}
        return sorted(file for file in found if file.suffix in (".yml", ".yaml", ".json") and file.is_file())


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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
