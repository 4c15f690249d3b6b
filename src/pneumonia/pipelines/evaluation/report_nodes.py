"""Nodes that write down the run: its record, the report, the model card."""

import hashlib
from typing import Any

import pandas as pd
from pydantic import BaseModel

from pneumonia.model.lineage import class_names, manifest_digest
from pneumonia.report.findings import (
    ATTRIBUTION,
    list_findings,
    list_limits,
    name_chosen,
    name_images,
    name_test,
    write_verdict,
)
from pneumonia.report.render import render


def record_run(
    run_context: dict[str, Any],
    parameters: dict[str, Any],
    split_manifest: pd.DataFrame,
    model_lineage: dict[str, Any],
) -> dict[str, Any]:
    """Record all that another person needs to get the same figures.

    Args:
        run_context: Command, environment, versions, commit, packages, hardware.
        parameters: All parameters of the run.
        split_manifest: One row an image.
        model_lineage: What the model was made from.

    Returns:
        The four, the seeds, and hashes of the data: `manifest_sha256` of the manifest's file, `images_sha256` of
        the sorted hashes of the images.
    """
    # Kedro hands over the groups that a node asks for as their typed models, the others as dictionaries.
    parameters = {
        name: group.model_dump(mode="json") if isinstance(group, BaseModel) else group
        for name, group in parameters.items()
    }
    test = split_manifest[split_manifest["split"] == "test"]
    hashes = "\n".join(sorted(split_manifest["sha256"]))
    return {
        **run_context,
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
            "images_sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        },
        "model": model_lineage,
    }


def write_report(**material: Any) -> str:
    """Write the report: one HTML page that needs nothing beside itself.

    Args:
        **material: The tables, records and figures (bytes of PNG), named as in the catalog.

    Returns:
        The page.
    """
    return render("report.html", **material, **_in_words(material))


def write_model_card(**material: Any) -> str:
    """Write the model card: Markdown with the front matter that Hugging Face reads.

    Args:
        **material: The tables and records, named as in the catalog.

    Returns:
        The card. What only a person can write is marked as a blank.
    """
    return render("model_card.md", **material, **_in_words(material))


def _in_words(material: dict[str, Any]) -> dict[str, Any]:
    """Return what both documents say in words."""
    record, metrics = material["run_record"], material["metrics"]
    negative, positive = record["data"]["classes"]
    test_name = name_test(record, material["class_counts"])
    audits = (
        material[name]
        for name in ("decision", "leak_audit", "shortcut_audit", "region_audit", "robustness", "pointing")
    )
    return {
        "negative": negative,
        "positive": positive,
        "image_kind": name_images(record),
        "test_name": test_name,
        "members": record["model"]["training"].get("members", 1),
        "chosen": name_chosen(record),
        "verdict": write_verdict(metrics, positive, negative, test_name),
        "findings": list_findings(metrics, *audits),
        "limits": list_limits(record, metrics, material["data_flow"]),
        "attribution": ATTRIBUTION,
    }
