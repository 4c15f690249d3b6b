"""What must be equal for an interrupted training to be resumed."""

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from pneumonia.base.environment import digest_of_code
from pneumonia.base.files import sha256_of_file
from pneumonia.model.recipe import Recipe

# Parameters that the result of a training does not depend on.
FREE_PARAMETERS = {
    "inputs.memory_limit_mb", "training.restart", "training.device", "training.precision", "training.tensorboard",
}  # fmt: skip
SOURCE_FILES = ("model/*.py", "pixels/*.py")
PACKAGES = ("tensorflow", "keras", "numpy")


def describe_training(recipe: Recipe, manifest_sha256: str, pixels: str, policy: str) -> dict[str, Any]:
    """Return everything that the result of a training depends on, by dotted name.

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
        "source code": digest_of_code(*SOURCE_FILES),
    }
    if Path(recipe.model.weights).is_file():
        given["weights file"] = sha256_of_file(Path(recipe.model.weights))
    return {name: value for name, value in flattened(given).items() if name not in FREE_PARAMETERS}


def key_of(description: dict[str, Any]) -> str:
    """Return one short digest of a description, for a file's name."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=str).encode()).hexdigest()[:16]


def flattened(group: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested groups under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in group.items():
        flat |= flattened(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
