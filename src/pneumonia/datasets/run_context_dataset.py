"""How a run was made, apart from parameters and data."""

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro.utils import is_kedro_project

from pneumonia.base.engine import thread_count


class RunContextDataset(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """Loads a description of the run: how it was started, the commit, the packages and the hardware.

    Only Kedro's hooks are told how the run was started: `RunContextHook` saves it here before the first node.

    Example:
    ```yaml
    run_context:
      type: pneumonia.datasets.RunContextDataset
      path: .
    ```
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the checkout, whose commit is recorded."""
        self._path = Path(path)
        self._started: dict[str, Any] = {}
        self.metadata = metadata

    def save(self, data: dict[str, Any]) -> None:
        """Keep how the run was started: run_id, environment, command, versions. Nothing is written."""
        self._started = data

    def load(self) -> dict[str, Any]:
        """Describe the run."""
        return {
            **self._started,
            "commit": _commit(self._path),
            "packages": _package_versions(),
            "hardware": _hardware(),
        }

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}


def _commit(project: Path) -> str | None:
    """Return the commit of the checkout, ``-dirty`` behind it if files differ; None outside of git.

    Where the package is installed without its checkout, a repository around the current folder is somebody else's.
    """
    if not is_kedro_project(project):
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=project, capture_output=True, encoding="utf-8", check=True,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _package_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of those that it depends on."""
    requirements = [line for line in metadata.requires("pneumonia") or [] if "extra ==" not in line]
    needed = sorted(line[: re.match(r"[\w.-]+", line).end()] for line in requirements)  # type: ignore[union-attr]
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in ("pneumonia", *needed)}}


def _hardware() -> dict[str, Any]:
    """Return processor, usable cores and operating system. Accelerators are in the model's lineage."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
        cpu = names[0] if names else cpu
    return {"cpu": cpu, "cores": thread_count(), "platform": platform.platform()}
