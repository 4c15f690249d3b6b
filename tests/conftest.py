import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TINY = {
    "training": {"epochs": 1, "batch_size": 16},
    "inputs": {"image_size": 64},
    "evaluation": {"resamples": 200, "robustness_images": 20, "train_images": 20},
}


def kedro(folder, *arguments):
    """Run `kedro` with its installed entry point, and return the finished process."""
    return subprocess.run(
        [Path(sys.executable).with_name("kedro"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


def succeed(folder, *arguments):
    process = kedro(folder, *arguments)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return process


@pytest.fixture(scope="session")
def project():
    """The folder of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def default_parameters(project):
    """The parameters of conf/base, as plain dictionaries."""
    from kedro.config import OmegaConfigLoader

    loader = OmegaConfigLoader(
        conf_source=str(project / "conf"),
        base_env="base",
        default_run_env="base",
        config_patterns={"parameters": ["parameters*"]},
        merge_strategy={"parameters": "soft"},
    )
    return loader["parameters"]


@pytest.fixture(scope="session")
def tiny_images():
    """40 grey PNG files by path, 32 px: noise, with a bright band on top where the class is PNEUMONIA."""
    import io

    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    files = {}
    for index in range(40):
        label = "PNEUMONIA" if index % 2 else "NORMAL"
        pixels = rng.integers(60, 160, (32, 32))
        pixels[4:12] += 60 if index % 2 else 0
        content = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(content, "PNG")
        files[f"train/{label}/person{index}.png"] = content.getvalue()
    return files


@pytest.fixture(scope="session")
def tiny_manifest(tiny_images):
    """A manifest of the tiny images: 24 train, 8 val, 8 test; every image is its own group."""
    import hashlib

    import pandas as pd

    splits = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    rows = [
        {
            "path": path,
            "label": path.split("/")[1],
            "target": int("PNEUMONIA" in path),
            "etiology": "unknown" if "PNEUMONIA" in path else "none",
            "group": path.split("/")[2],
            "split": split,
            "source_split": "train",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "width": 32,
            "height": 32,
            "mode": "L",
        }
        for (path, content), split in zip(tiny_images.items(), splits, strict=True)
    ]
    return pd.DataFrame(rows).sort_values("path", ignore_index=True)


@pytest.fixture(scope="session")
def tiny_stores(tmp_path_factory, tiny_images, tiny_manifest):
    """The pixel stores that hold the tiny images at 32 px, squeezed."""
    from pneumonia.pixels.store import PixelRequest, PixelStores

    stores = PixelStores(tmp_path_factory.mktemp("pixels"))
    stores.fill(
        PixelRequest(
            paths=tuple(tiny_manifest["path"]),
            sha256s=tuple(tiny_manifest["sha256"]),
            image_size=32,
            resize="squeeze",
            read=tiny_images.__getitem__,
        )
    )
    return stores


@pytest.fixture(scope="session")
def tiny_store(tiny_stores):
    """The opened store of the tiny images."""
    return tiny_stores.open(32, "squeeze")


@pytest.fixture(scope="session")
def copy_project(project):
    """Make a copy of the project without data, in which a test may run `kedro`."""
    import shutil

    def copy(folder):
        folder.mkdir(parents=True)
        shutil.copytree(project / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        (folder / "conf" / "local").mkdir()
        shutil.copytree(project / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(project / name, folder)
        return folder

    return copy


@pytest.fixture(scope="session")
def tiny_checkout(project, copy_project):
    """Make a checkout with an environment `tiny`: the demo with few images and one epoch."""

    def make(folder):
        copy_project(folder)
        tiny = folder / "conf" / "tiny"
        tiny.mkdir()
        catalog = yaml.safe_load((project / "conf/demo/catalog.yml").read_text())
        catalog["chest_xrays"]["n_images"] = 120
        (tiny / "catalog.yml").write_text(yaml.safe_dump(catalog))
        (tiny / "parameters.yml").write_text(yaml.safe_dump(TINY))
        (tiny / "globals.yml").write_text("root: data/tiny\nimages: data/tiny/01_raw/chest_xray\n")
        return folder

    return make


@pytest.fixture(scope="session")
def checkout(tmp_path_factory, tiny_checkout):
    """A checkout in which `kedro run --env=tiny --pipeline=training` was run, and nothing before it."""
    folder = tiny_checkout(tmp_path_factory.mktemp("runs") / "checkout")
    succeed(folder, "run", "--env=tiny", "--pipelines=training")
    return folder


@pytest.fixture(scope="session")
def finished_checkout(tmp_path_factory, tiny_checkout):
    """A checkout in which `kedro run --env=tiny` was run once. Tests leave its data as they are."""
    folder = tiny_checkout(tmp_path_factory.mktemp("finished") / "checkout")
    succeed(folder, "run", "--env=tiny")
    return folder
