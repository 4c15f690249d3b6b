"""Run the ingest pipeline on `images`, writing under `root`; for tests that kill it."""

from pathlib import Path
from typing import Any

import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import generate_timestamp
from kedro.runner import SequentialRunner

from pneumonia.base.data_parameters import IngestParameters, LabelsParameters
from pneumonia.pipelines.ingest import create_pipeline


def make_catalog(project: Path, images: str, root: str) -> DataCatalog:
    """Return the catalog as delivered, but for its places."""
    text = (project / "conf/base/catalog_ingest.yml").read_text()
    text = text.replace("${runtime_params:images,${globals:images}}", images).replace("${globals:root}", root)
    catalog = DataCatalog.from_config(yaml.safe_load(text), save_version=generate_timestamp())
    for name, model in (("ingest", IngestParameters), ("labels", LabelsParameters)):
        values = yaml.safe_load((project / f"conf/base/parameters_{name}.yml").read_text())[name]
        catalog[f"params:{name}"] = MemoryDataset(model.model_validate(values), copy_mode="assign")
    return catalog


def run(project: Path, images: Path, root: Path, begun: Any) -> None:
    """Run the pipeline, and say by an event when it begins."""
    catalog = make_catalog(project, str(images), str(root))
    begun.set()
    SequentialRunner().run(create_pipeline(), catalog)
