"""The record of a run: what another person needs to reproduce the figures."""

import hashlib
from typing import Any, ClassVar, TypedDict

import numpy as np
import pandas as pd
from pydantic import BaseModel

from pneumonia.base.contract import RecordContract
from pneumonia.base.environment import RunContext
from pneumonia.base.errors import hide_all_credentials
from pneumonia.base.parameters import as_dictionaries
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.model.lineage import Lineage, class_names, manifest_digest


class _Named(BaseModel):
    name: str


class _Training(BaseModel):
    epochs: int


class _Model(BaseModel):
    manifest_sha256: str
    model: _Named
    training: _Training


class _Versions(BaseModel):
    pneumonia_model: str


class _Record(BaseModel):
    versions: _Versions
    model: _Model
    data: dict[str, Any] = {}


class Scorings(TypedDict):
    """In how many runs the test image that was scored most often was scored, and the median one."""

    most: int
    median: float


class DataRecord(TypedDict):
    """The images of a run."""

    images: str
    n_images: int
    n_groups: int
    etiologies: list[str]
    test_from: list[str]
    classes: list[str]
    manifest_sha256: str
    images_sha256: str
    test_sha256: str
    test_scorings: Scorings


class RunRecord(RunContext):
    """What another person needs to reproduce the figures of a run."""

    parameters: dict[str, Any]
    seeds: dict[str, int]
    data: DataRecord
    model: Lineage


class RunRecordContract(RecordContract):
    """Refuses a record of a run that does not say which model it judged.

    Example:
    ```yaml
    run_record:
      type: pneumonia.datasets.RecordDataset
      filepath: data/08_reporting/run_record.json
      validator: pneumonia.report.record.RunRecordContract
    ```
    """

    name: ClassVar[str] = "record run_record"
    layout = _Record


def record_run(
    run_context: RunContext,
    parameters: dict[str, Any],
    split_manifest: pd.DataFrame,
    model_lineage: Lineage,
    scoring_ledger: ScoringLedger,
) -> RunRecord:
    """Record everything that another person needs to reproduce the figures.

    Args:
        run_context: Command, environment, versions, commit, packages, hardware.
        parameters: All parameters of the run.
        split_manifest: One row per image.
        model_lineage: What the model was made from.
        scoring_ledger: How often each image was scored, this time included.

    Returns:
        Context, parameters and lineage, the seeds, and the data: `manifest_sha256` of the manifest's file,
        `images_sha256` and `test_sha256` of the sorted hashes of all images and of the test images, and
        `test_scorings`: in how many runs the test image that was scored most often was scored, and
        the median one.
    """
    parameters = hide_all_credentials(as_dictionaries(parameters))
    parameters["images"] = str(parameters["images"])
    test = split_manifest[split_manifest["split"] == "test"]
    times = scoring_ledger.count(test["sha256"])
    # A run that does not read the model has no version of it: it is that of its training.
    versions = {"pneumonia_model": model_lineage["run_id"], **run_context["versions"]}
    return {
        **run_context,
        "versions": versions,
        "parameters": parameters,
        "seeds": {
            "ingest": parameters["ingest"]["seed"],
            "training": model_lineage["training"]["seed"],
            "evaluation": parameters["evaluation"]["seed"],
        },
        "data": {
            "images": parameters["images"],
            "n_images": len(split_manifest),
            "n_groups": int(split_manifest["group"].nunique()),
            "etiologies": sorted(set(split_manifest["etiology"])),
            "test_from": sorted(set(test["source_split"])),
            "classes": class_names(split_manifest),
            "manifest_sha256": manifest_digest(split_manifest),
            "images_sha256": _digest(split_manifest["sha256"]),
            "test_sha256": _digest(test["sha256"]),
            "test_scorings": {"most": int(times.max()), "median": float(np.median(times))},
        },
        "model": model_lineage,
    }


def _digest(sha256s: pd.Series) -> str:
    """Return the SHA-256 of sorted hashes, one a line: the same images give the same, however they are split."""
    return hashlib.sha256("\n".join(sorted(sha256s)).encode()).hexdigest()
