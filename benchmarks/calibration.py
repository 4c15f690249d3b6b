"""Which calibration of the probabilities holds where images are unlike those it was fitted on: docs/network.md.

    python benchmarks/calibration.py [--env ENV] [--project FOLDER]

Takes the model, manifest and pixel store of a finished run. Validation images are shown as they are, in every framing
and with every corruption. Half of the groups fit a logistic calibration, once on the images as they are and once on
all that are shown; the other half and the test images judge them, and the other way round. Brier scores (lower is
better) and calibration in the large (ideal: 0), the mean over the ways an image is shown.
"""

import argparse
import os
from functools import partial
from itertools import product
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from pneumonia.audits.corruption import KINDS, STRENGTHS, corrupt
from pneumonia.audits.framing import FRAMINGS, STYLES, Shown, reframe
from pneumonia.base.progress import follow
from pneumonia.metrics.calibration import apply_calibration, fit_calibration
from pneumonia.metrics.logistic import fit_shift, logit
from pneumonia.model.predict import predict
from pneumonia.split.folds import grouped_folds

BATCH = 64
NONE = {"method": "none"}


def main() -> None:
    """Print a row for each candidate and sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env")
    parser.add_argument("--project", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--csv", type=Path, default=Path("build/benchmarks/calibration.csv"))
    arguments = parser.parse_args()
    bootstrap_project(arguments.project.resolve())
    with KedroSession.create(project_path=arguments.project.resolve(), env=arguments.env) as session:
        context = session.load_context()
        inputs = context.params["inputs"]
        store = context.catalog.load("pixel_store").open(inputs.image_size, inputs.resize)
        manifest = context.catalog.load("split_manifest")
        ask = partial(predict, context.catalog.load("pneumonia_model"), batch_size=BATCH)
    shown = {
        split: show(ask, store.read(store.rows(rows["sha256"])), rows)
        for split, rows in manifest[manifest["split"].isin(["val", "test"])].groupby("split")
    }
    arguments.csv.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(shown).to_csv(arguments.csv)
    print(compare(shown["val"], shown["test"]).round(4).to_string(index=False))


def show(ask, images: np.ndarray, rows: pd.DataFrame) -> pd.DataFrame:
    """Return group, label, target, way and probability of each image, shown in each way."""
    damages = list(product(KINDS, STRENGTHS))
    parts = []
    framings = {way: framing for way, framing in FRAMINGS.items() if way not in STYLES}
    with follow(len(framings) + len(damages), "Showing images", "ways") as advance:
        for way, framing in framings.items():
            probability = ask(images if way is Shown.WHOLE else reframe(images, framing))
            parts.append(rows[["group", "label", "target"]].assign(way=str(way), probability=probability))
            advance(1)
        for kind, strength in damages:
            probability = ask(corrupt(images[..., 0], kind, strength)[..., None])
            parts.append(rows[["group", "label", "target"]].assign(way=f"{kind} {strength}", probability=probability))
            advance(1)
    return pd.concat(parts, ignore_index=True)


def compare(val: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return Brier score and calibration in the large of each candidate, on images that it was not fitted on."""
    parts = []
    for fitting, judging in grouped_folds(val, 2, 0, "folds"):
        plain = fitting[fitting["way"] == Shown.WHOLE]
        candidates = {"none": NONE, "logistic": fit(plain), "logistic, shifted": fit(fitting)}
        for name, calibration in candidates.items():
            for sample, rows in (("validation", judging), ("test", test)):
                for way, of_way in rows.groupby("way"):
                    probability = apply_calibration(of_way["probability"].to_numpy(), calibration)
                    target = of_way["target"].to_numpy()
                    parts.append(
                        {
                            "calibration": name,
                            "sample": sample,
                            "shown": "as they are" if way == Shown.WHOLE else "reframed or corrupted",
                            "brier": np.mean((probability - target) ** 2),
                            "in_the_large": fit_shift(logit(probability), target),
                        }
                    )
    return pd.DataFrame(parts).groupby(["sample", "shown", "calibration"], as_index=False).mean(numeric_only=True)


def fit(rows: pd.DataFrame) -> dict:
    """Fit the logistic calibration."""
    return fit_calibration(rows["probability"].to_numpy(), rows["target"].to_numpy(), "logistic")


if __name__ == "__main__":
    main()
