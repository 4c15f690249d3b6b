"""Run the ingest pipeline on `images`, writing under `root`; for tests that kill it."""

from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import generate_timestamp
from kedro.runner import SequentialRunner

from pneumonia.base.parameters import Parameters
from pneumonia.pipelines.ingest import create_pipeline


def make_catalog(project: Path, images: str, root: str) -> DataCatalog:
    """Return the catalog as delivered, except for its locations."""
    text = (project / "conf/base/catalog_ingest.yml").read_text()
    text = text.replace("${runtime_params:images,${globals:images}}", images).replace("${globals:root}", root)
    entries = {name: entry for name, entry in yaml.safe_load(text).items() if not name.startswith("_")}
    catalog = DataCatalog.from_config(entries, save_version=generate_timestamp())
    loader = OmegaConfigLoader(str(project / "conf"), base_env="base", default_run_env="base")
    parameters = Parameters.model_validate(loader["parameters"])
    for name in create_pipeline().inputs():
        if name.startswith("params:"):
            group = getattr(parameters, name.removeprefix("params:"))
            catalog[name] = MemoryDataset(group, copy_mode="assign")
    return catalog


def run(project: Path, images: Path, root: Path, begun: Any) -> None:
    """Run the pipeline, and set an event when it begins."""
    catalog = make_catalog(project, str(images), str(root))
    begun.set()
    SequentialRunner().run(create_pipeline(), catalog)
