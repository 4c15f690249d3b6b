"""What a result depends on besides its inputs: releases of packages, and this package's own code."""

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

import pneumonia

SHOWN = 3  # differences that a message names
PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "pillow", "simplejpeg")


class RunContext(TypedDict):
    """How a run was started and where, apart from parameters and data."""

    run_id: str
    environment: str
    command: str
    versions: dict[str, str]
    commit: str | None
    packages: dict[str, str]
    hardware: dict[str, Any]


@cache
def describe_environment() -> dict[str, str]:
    """Return the releases of Python and of the packages that results depend on, and a digest of this package's code."""
    python = ".".join(platform.python_version_tuple()[:2])
    releases = {name: metadata.version(name) for name in PACKAGES}
    return {"python": python, **releases, "the code of pneumonia": digest_of_code()}


def tell_difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Say how a machine or a training differs from another: "keras 3.14.0 instead of 3.15.0"; empty if alike."""
    names = [name for name in one if one[name] != other.get(name)]
    parts = [f"{name} {one[name]} instead of {other.get(name)}" for name in names[:SHOWN]]
    return ", ".join(parts) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


@cache
def digest_of_code(*patterns: str) -> str:
    """Return a digest of the package's Python files, or of those that patterns such as `model/*.py` name."""
    root = Path(pneumonia.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns or ("**/*.py",) for path in root.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
