"""Configuration whose faults are reported in one sentence that names the file."""

import io
import tarfile
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pneumonia.base.errors import UserError
from pneumonia.datasets.errors import plainly


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
            files = self._files(key)
            faults = [f"{file} {fault}" for file in files if (fault := find_fault(file))]
            if not faults and isinstance(error, OmegaConfBaseException):
                faults = [_explain(error, files, "--params" if self.runtime_params else str(self.conf_source))]
            if not faults and isinstance(error, YAMLError):
                faults = [f"The configuration in {self.conf_source} cannot be read: {_first_line(error)}"]
            if not faults and isinstance(error, ValueError):
                faults = [_first_line(error)]  # Kedro names the key that is in two files
            if not faults:
                raise
            raise UserError(f"{'; '.join(faults)}. Nothing was run.") from error

    def _files(self, key: str) -> list[Path]:
        """Find the files of one kind; none if the configuration is an archive."""
        folders = [Path(self.conf_source) / env for env in (self.base_env, self.env or self.default_run_env)]
        found = {file for folder in folders for pattern in self.config_patterns[key] for file in folder.glob(pattern)}
        return sorted(file for file in found if file.suffix in (".yml", ".yaml", ".json") and file.is_file())


def find_fault(file: Path) -> str | None:
    """Say what is wrong with a YAML file, as the end of a sentence that starts with its path.

    Args:
        file: A configuration file.

    Returns:
        None if it contains keys and values, as it should.
    """
    try:
        content = OmegaConf.load(io.StringIO(file.read_text(encoding="utf-8")))
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x})"
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" at line {mark.line + 1}"
        return f"is not YAML{line}: {getattr(error, 'problem', None) or _first_line(error)}"
    except OmegaConfBaseException as error:
        return f"cannot be used: {_first_line(error)}"
    except OSError as error:
        if error.strerror:
            return f"cannot be read: {error.strerror}"
        return "contains no keys and values"  # OmegaConf raises this for a number
    if not isinstance(content, DictConfig):
        return "contains a list, not keys and values"
    odd = [key for key in content if not isinstance(key, str)]
    return f"has a key that is not text: {odd[0]!r}" if odd else None


def _explain(error: OmegaConfBaseException, files: list[Path], elsewhere: str) -> str:
    """Say which value in which file could not be resolved, or that it comes from elsewhere."""
    key = error.full_key or "A value"
    top = key.split(".")[0].split("[")[0]
    written = [str(file) for file in files if top in OmegaConf.load(file) and "${" in file.read_text(encoding="utf-8")]
    return f"{key} in {' or '.join(written) or elsewhere} cannot be resolved: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
