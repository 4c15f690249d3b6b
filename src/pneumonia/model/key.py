"""What must be equal for an interrupted training to be continued."""

import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pneumonia
from pneumonia.model.recipe import Recipe

# Parameters that the result of a training does not depend on.
FREE_PARAMETERS = {
    "inputs.memory_limit_mb", "training.restart", "training.device", "training.precision", "training.tensorboard",
}  # fmt: skip
SOURCE_FOLDERS = ("model", "pixels")
PACKAGES = ("tensorflow", "keras", "numpy")
SHOWN = 3  # differences that a message names


def describe_training(recipe: Recipe, manifest_sha256: str, pixels: str, policy: str) -> dict[str, Any]:
    """Return all that the result of a training depends on, under dotted names.

    Args:
        recipe: How it is trained.
        manifest_sha256: The digest of the split.
        pixels: The fingerprint of the pixel store.
        policy: The precision in which it computes.
    """
    given = {
        "inputs": recipe.inputs.model_dump(mode="json"),
        "model": recipe.model.model_dump(mode="json"),
        "training": recipe.training.model_dump(mode="json"),
        "class_weights": recipe.class_weights,
        "etiologies": list(recipe.etiologies),
        "manifest": manifest_sha256,
        "pixels": pixels,
        "precision": policy,
        "releases": {name: metadata.version(name) for name in PACKAGES},
        "source code": source_digest(),
    }
    return {name: value for name, value in _flattened(given).items() if name not in FREE_PARAMETERS}


def key_of(description: dict[str, Any]) -> str:
    """Return one short digest of a description, for a file's name."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=str).encode()).hexdigest()[:16]


def tell_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Say in what two trainings differ, such as "training.epochs 30 instead of 60"."""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    parts = [f"{name} {ours[name]} instead of {theirs.get(name)}" for name in names[:SHOWN]]
    return ", ".join(parts) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


@cache
def source_digest() -> str:
    """Return a digest of the code that decides what a training does."""
    digest = hashlib.sha256()
    root = Path(pneumonia.__file__).parent
    for path in sorted(path for folder in SOURCE_FOLDERS for path in (root / folder).glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _flattened(group: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested groups under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in group.items():
        flat |= _flattened(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
