"""How a trained model does on validation images whose framing, sharpness or tone says something else than their class.

    python benchmarks/judges.py [--env ENV] [--versions V ...] [--models FILE.keras ...] [--external FOLDER] [--fast]

Reads the manifest and the pixel store of a finished run from the catalog; of the models, the given versions, the given
files, or the newest. By these judges, not by validation as it is, networks and recipes are chosen: docs/network.md.
In a loop of one's own: `judge(model, images, target)`.
"""

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from pneumonia.audits.corruption import KINDS, STRENGTHS, corrupt
from pneumonia.audits.framing import JUDGES, Kind, Predict, Shown, score_framings, tabulate_judges
from pneumonia.base.parameters import InputsParameters
from pneumonia.metrics.metrics import ranking_metrics
from pneumonia.model.predict import predict
from pneumonia.pixels.decoding import decode_image

PROJECT = Path(__file__).parents[1]
IMAGES_PER_CLASS = 150  # that are corrupted in 27 ways
REFRAMED_PER_CLASS = 250  # at most
SEED = 0
BATCH = 64


def main() -> None:
    """Print a table per model, and one row per model at the end; write them as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env")
    parser.add_argument("--versions", nargs="+", default=[], help="of pneumonia_model")
    parser.add_argument("--models", nargs="+", type=Path, default=[], help="files of Keras models")
    parser.add_argument("--external", type=Path, help="folder of another hospital's images, one folder per class")
    parser.add_argument("--fast", action="store_true", help="neither corrupted nor widened images")
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--csv", type=Path, default=Path("build/benchmarks/judges.csv"))
    arguments = parser.parse_args()
    bootstrap_project(arguments.project.resolve())
    with KedroSession.create(project_path=arguments.project.resolve(), env=arguments.env) as session:
        context = session.load_context()
        inputs = context.params["inputs"]
        store = context.catalog.load("pixel_store").open(inputs.image_size, inputs.resize)
        manifest = context.catalog.load("split_manifest")
        versions = arguments.versions or ([] if arguments.models else [None])
        models: list[tuple[str, Any]] = [(str(path), path) for path in arguments.models]
        for version in versions:
            catalog = context._get_catalog(load_versions={"pneumonia_model": version} if version else None)
            models.append((version or "newest", catalog.load("pneumonia_model")))
    val = manifest[manifest["split"] == "val"]
    images, target = store.read(store.rows(val["sha256"])), val["target"].to_numpy()
    external = read_folder(arguments.external, inputs, manifest) if arguments.external else None
    tables = [print_judged(name, load(model), images, target, external, arguments.fast) for name, model in models]
    arguments.csv.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).to_csv(arguments.csv, index=False)
    print(pd.DataFrame([summarise(table) for table in tables]).round(4).to_string(index=False))


def load(model: Any) -> Any:
    """Load a model from a file; return a loaded one as it is."""
    import keras

    return keras.models.load_model(model) if isinstance(model, Path) else model


def print_judged(name: str, model: Any, images: np.ndarray, target: np.ndarray, external: Any, fast: bool):
    """Judge one model, and print and return its table."""
    start = time.perf_counter()
    table = judge(model, images, target, corrupted=not fast, mirror=not fast, external=external)
    print(f"\n{name} ({time.perf_counter() - start:.0f} s)")
    print(table.round(4).to_string(index=False))
    table.insert(0, "model", name)
    return table


def judge(
    model: Any,
    images: np.ndarray,
    target: np.ndarray,
    *,
    corrupted: bool = True,
    mirror: bool = True,
    external: tuple[np.ndarray, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Judge a model on validation images.

    Args:
        model: Takes uint8 `[n, size, size, 1]`.
        images: Validation images, uint8 `[n, size, size, 1]`.
        target: True class, 0 or 1, `[n]`.
        corrupted: Add a row for the corrupted images (27 passes of 300 images).
        mirror: Add the rows whose positives are widened.
        external: Images and classes of another hospital, for one more row.

    Returns:
        kind, negatives, positives (how they are shown), auc, sensitivity and specificity at 0.5, n.
    """
    ask = partial(predict, model, batch_size=BATCH)
    judges = [one for one in JUDGES if mirror or one.kind not in (Kind.POSITIVES_WIDENED, Kind.BOTH)]
    rows = pd.DataFrame({"path": np.arange(len(target)), "group": np.arange(len(target)), "target": target})
    tables = [tabulate_judges(score_framings(ask, images, rows, REFRAMED_PER_CLASS, judges), judges)]
    if corrupted:
        tables.append(_corrupted(ask, images, target))
    if external is not None:
        tables.append(pd.DataFrame([_row("external", Shown.WHOLE, external[1], ask(external[0]))]))
    return pd.concat(tables, ignore_index=True)


def _row(kind: str, shown: str, target: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    called = probability >= 0.5
    return {
        "kind": kind,
        "negatives": shown,
        "positives": shown,
        "auc": float(ranking_metrics(target, probability)["auc"][0]),
        "sensitivity": float(called[target == 1].mean()),
        "specificity": float(1 - called[target == 0].mean()),
        "n": len(target),
    }


def _corrupted(ask: Predict, images: np.ndarray, target: np.ndarray) -> pd.DataFrame:
    """Return the mean over all kinds and strengths, and over the kinds at the strongest, two rows."""
    rng = np.random.default_rng(SEED)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(target == label))[:IMAGES_PER_CLASS] for label in (0, 1)])
    rows = []
    for kind in KINDS:
        for strength in STRENGTHS:
            damaged = corrupt(images[chosen][..., 0], kind, strength, SEED)[..., None]
            rows.append(_row("corrupted", str(strength), target[chosen], ask(damaged)))
    table = pd.DataFrame(rows)
    parts = {"all_27": table, "strength_3": table[table["negatives"] == str(max(STRENGTHS))]}
    means = [
        {"kind": "corrupted", "negatives": name, "positives": name, **part.mean(numeric_only=True)}
        for name, part in parts.items()
    ]
    return pd.DataFrame(means).astype({"n": int})


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return the clean figures and the worst AUC and specificity of each kind of judge, one row per model."""
    clean = table.iloc[0]
    row = {"model": clean["model"], "clean_auc": clean["auc"], "clean_specificity": clean["specificity"]}
    for kind, part in table.iloc[1:].groupby("kind", sort=False):
        row |= {f"{kind}: auc": part["auc"].min(), f"{kind}: specificity": part["specificity"].min()}
    return row


def read_folder(folder: Path, inputs: InputsParameters, manifest: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Decode the images of a folder that has one folder per class, named as the manifest names them."""
    labels = manifest.drop_duplicates("target").set_index("label")["target"]
    paths = sorted(path for label in labels.index for path in (folder / label).iterdir())
    images = [decode_image(path.read_bytes(), inputs.image_size, inputs.resize) for path in paths]
    return np.stack(images)[..., None], labels[[path.parent.name for path in paths]].to_numpy()


if __name__ == "__main__":
    main()
