"""How a trained model does on corrupted validation images, by which networks and recipes are chosen.

    python benchmarks/corrupted_validation.py [--env ENV] [--versions VERSION ...] [--json FILE]

Reads models, their manifest and the pixel store from the catalog. The images are the first 150 of each class, in a
seeded order, of the validation images; nine kinds of corruption at three strengths, fixed seeds.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from sklearn.metrics import log_loss, roc_auc_score

from pneumonia.audits.corruption import KINDS, STRENGTHS, corrupt
from pneumonia.model.lineage import check_lineage

PROJECT = Path(__file__).parents[1]
IMAGES_PER_CLASS = 150
SEED = 0


def main() -> None:
    """Print a table, one row a model; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env")
    parser.add_argument("--versions", nargs="+", help="of pneumonia_model; the newest without")
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/corrupted_validation.json"))
    arguments = parser.parse_args()
    bootstrap_project(arguments.project.resolve())
    rows = [score(arguments, version) for version in arguments.versions or [None]]
    print(pd.DataFrame(rows).round(4).to_string(index=False))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


def score(arguments: argparse.Namespace, version: str | None) -> dict[str, float | str]:
    """Score one model."""
    versions = {"pneumonia_model": version} if version else None
    with KedroSession.create(project_path=arguments.project.resolve(), env=arguments.env) as session:
        catalog = session.load_context()._get_catalog(load_versions=versions)
    model, manifest = catalog.load("pneumonia_model"), catalog.load("split_manifest")
    check_lineage(model.lineage, manifest)
    store = catalog.load("pixel_store").open(model.lineage["image_size"], model.lineage["resize"])
    val = manifest[manifest["split"] == "val"]
    chosen = val.groupby("target").sample(IMAGES_PER_CLASS, random_state=SEED)
    clean = predict(model, store.read(store.rows(val["sha256"])))
    images, target = store.read(store.rows(chosen["sha256"]))[..., 0], chosen["target"].to_numpy()
    corrupted = np.array(
        [predict(model, corrupt(images, kind, strength, SEED)[..., None]) for kind in KINDS for strength in STRENGTHS]
    )
    aucs = [roc_auc_score(target, probability) for probability in corrupted]
    called = corrupted >= 0.5
    return {
        "model": version or "newest",
        "seed": model.lineage["training"]["seed"],
        "epoch": model.lineage["kept_epochs"],
        "clean_auc": roc_auc_score(val["target"], clean),
        "clean_log_loss": log_loss(val["target"], clean),
        "clean_accuracy": float(np.mean((clean >= 0.5) == val["target"].to_numpy())),
        "corrupted_auc": float(np.mean(aucs)),
        "corrupted_auc_strength_3": float(np.mean(aucs[len(STRENGTHS) - 1 :: len(STRENGTHS)])),
        "corrupted_log_loss": log_loss(np.tile(target, len(corrupted)), corrupted.ravel()),
        "corrupted_sensitivity": float(called[:, target == 1].mean()),
        "corrupted_specificity": float(1 - called[:, target == 0].mean()),
    }


def predict(model, images: np.ndarray) -> np.ndarray:
    """Return the probabilities, float64 `[n]`."""
    return model.predict(images, batch_size=64, verbose=0)[:, 0].astype(float)


if __name__ == "__main__":
    main()
