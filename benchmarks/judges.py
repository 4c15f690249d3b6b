"""How a trained model does on validation images whose framing, sharpness or tone says something other than their class.

    python benchmarks/judges.py [--env ENV] [--versions V ...] [--models FILE.keras ...] [--external FOLDER] [--fast]
        [--blocks]

Reads the manifest and the pixel store of a finished run from the catalog, and judges the models of the given versions
or files, or else the newest. With --blocks, it also prints the rates on five stretches of validation images, in the
order of the numbers in their names: the worst shows what a change of acquisition may cost. Networks and recipes are
chosen by these judges, not by plain validation: docs/network.md. Several recipes are compared by `kedro run
--pipelines=study` (docs/studies.md).
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

from pneumonia.audits.framing import rates_at
from pneumonia.base.parameters import EvaluationParameters, InputsParameters
from pneumonia.model.predict import load_model, predict
from pneumonia.pixels.decoding import decode_image
from pneumonia.split.folds import cut_blocks
from pneumonia.study.judges import Judged, judge

PROJECT = Path(__file__).parents[1]
BATCH = 64


def main() -> None:
    """Print a table per model, and one row per model at the end; write them as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env")
    parser.add_argument("--versions", nargs="+", default=[], help="of pneumonia_model")
    parser.add_argument("--models", nargs="+", type=Path, default=[], help="files of Keras models")
    parser.add_argument("--external", type=Path, help="folder of another hospital's images, one folder per class")
    parser.add_argument("--fast", action="store_true", help="no corrupted images")
    parser.add_argument("--blocks", action="store_true", help="rates by stretch of numbers")
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--csv", type=Path, default=Path("build/benchmarks/judges.csv"))
    arguments = parser.parse_args()
    bootstrap_project(arguments.project.resolve())
    with KedroSession.create(project_path=arguments.project.resolve(), env=arguments.env) as session:
        context = session.load_context()
        inputs, evaluation = context.params["inputs"], context.params["evaluation"]
        store = context.catalog.load("pixel_store").open(inputs.image_size, inputs.resize)
        manifest = context.catalog.load("split_manifest")
        versions = arguments.versions or ([] if arguments.models else [None])
        models: list[tuple[str, Any]] = [(str(path), path) for path in arguments.models]
        for version in versions:
            catalog = context._get_catalog(load_versions={"pneumonia_model": version} if version else None)
            models.append((version or "newest", catalog.load("pneumonia_model")))
    val = manifest[manifest["split"] == "val"]
    if arguments.fast:
        evaluation = evaluation.model_copy(update={"robustness": False})
    images = Judged(store.read(store.rows(val["sha256"])), val["target"].to_numpy())
    external = read_folder(arguments.external, inputs, manifest) if arguments.external else None
    if arguments.blocks:
        for name, model in models:
            print_blocks(name, load(model), images, cut_blocks(val))
    tables = [print_judged(name, load(model), images, external, evaluation) for name, model in models]
    arguments.csv.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).to_csv(arguments.csv, index=False)
    print(pd.DataFrame([summarise(table) for table in tables]).round(4).to_string(index=False))


def load(model: Any) -> Any:
    """Load a model from a file; return a loaded one as it is."""
    return load_model(model) if isinstance(model, Path) else model


def print_judged(name: str, model: Any, images: Judged, external: Judged | None, evaluation: EvaluationParameters):
    """Judge one model, and print and return its table."""
    start = time.perf_counter()
    table = judge(partial(predict, model, batch_size=BATCH), images, external, evaluation)
    print(f"\n{name} ({time.perf_counter() - start:.0f} s)")
    print(table.round(4).to_string(index=False))
    table.insert(0, "model", name)
    return table


def print_blocks(name: str, model: Any, images: Judged, blocks: pd.Series) -> None:
    """Print the rates of one model at 0.5 on each stretch of validation."""
    probability = predict(model, images.images, batch_size=BATCH)
    rows = []
    for block, places in blocks.reset_index(drop=True).groupby(blocks.to_numpy()).indices.items():
        rates = rates_at(images.target[places], probability[places])
        rows.append({"model": name, "stretch": block, **rates, "n": len(places)})
    print(pd.DataFrame(rows).round(4).to_string(index=False))


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return the clean figures and the worst AUC and specificity of each kind of judge, one row per model."""
    clean = table.iloc[0]
    row = {"model": clean["model"], "clean_auc": clean["auc"], "clean_specificity": clean["specificity"]}
    for kind, part in table.iloc[1:].groupby("kind", sort=False):
        row |= {f"{kind}: auc": part["auc"].min(), f"{kind}: specificity": part["specificity"].min()}
    return row


def read_folder(folder: Path, inputs: InputsParameters, manifest: pd.DataFrame) -> Judged:
    """Decode the images of a folder that has one folder per class, named as in the manifest."""
    labels = manifest.drop_duplicates("target").set_index("label")["target"]
    paths = sorted(path for label in labels.index for path in (folder / label).iterdir())
    images = [decode_image(path.read_bytes(), inputs.image_size, inputs.resize) for path in paths]
    return Judged(np.stack(images)[..., None], labels[[path.parent.name for path in paths]].to_numpy())


if __name__ == "__main__":
    main()
