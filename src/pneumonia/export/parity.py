"""The parity check: whether exported files match the Keras model."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.progress import follow
from pneumonia.export.convert import INT8, LITERT, ONNX, SAVED_MODEL, Files
from pneumonia.export.graph import DISTANCE, PROBABILITY
from pneumonia.export.range_graph import KINDS
from pneumonia.export.running import Judge, judge_all, open_exported
from pneumonia.metrics.auc import auc_difference, estimate_auc
from pneumonia.metrics.metrics import Floats
from pneumonia.model.lineage import weights_digest
from pneumonia.model.predict import forward, stored_parts, with_features
from pneumonia.pixels.store import PixelStore
from pneumonia.predictor.image_range import FEATURES, GREY, describe_grey, relative_distances
from pneumonia.predictor.predictor import Predictor

COMPARED = ("val", "test")
EXACT = (ONNX, LITERT, SAVED_MODEL)  # held to the tolerances, which 8 bits cannot meet
TOLERANCE = 1e-4  # of probabilities
INT8_LOSS = 0.01  # of AUC on test; a file that loses more is left out
DISTANCE_TOLERANCE = 1e-3  # of distances, as a share of the distance or the bound, whichever is larger
BATCH_SIZE = 64
ALONE = 256  # largest number of images that are also judged one by one


class Answers(NamedTuple):
    """The outputs for images: probability `[n]`, and distances by `KINDS`, in bounds, `[n, 2]`."""

    probability: Floats
    distance: Floats


def measure_parity(
    files: Files, predictor: Predictor, split_manifest: pd.DataFrame, store: PixelStore
) -> dict[str, Any]:
    """Compare exported files with the Keras model on all images of validation and test.

    Args:
        files: The export.
        predictor: The model with its decision and its range.
        split_manifest: One row per image.
        store: Has the pixels.

    Returns:
        `weights_sha256` of the model, `sha256` of each file, `images` by split, the tolerances; `formats`: for each and
        each batch size the record of `compare`; `int8`: what 8 bits cost on test; `failures`: sentences, none if the
        check passed.
    """
    rows = split_manifest[split_manifest["split"].isin(COMPARED)].reset_index(drop=True)
    threshold = predictor.decision["threshold"]
    alone = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, ALONE).astype(np.int64))]
    with follow((2 + len(EXACT)) * len(rows) + len(EXACT) * len(alone), "Comparing") as advance:
        expected = _ask_keras(predictor, store, rows["sha256"])
        advance(len(rows))
        formats: dict[str, dict[str, Any]] = {}
        for name in EXACT:
            judge = open_exported(name, files)
            formats[name] = {}
            for batch_size, chosen in ((BATCH_SIZE, rows), (1, alone)):
                found = _ask(judge, store, chosen["sha256"], batch_size)
                same = Answers(*(values[chosen.index] for values in expected))
                formats[name][f"batch_{batch_size}"] = compare(same, found, threshold)
                advance(len(chosen))
        test = rows[rows["split"] == "test"]
        exact = expected.probability[test.index]
        int8 = measure_int8(_ask_int8(files, store, test["sha256"]), exact, test, threshold)
    return {
        "weights_sha256": weights_digest(predictor.model),
        "sha256": digests(files),
        "images": rows["split"].value_counts().to_dict(),
        "tolerance": TOLERANCE,
        "distance_tolerance": DISTANCE_TOLERANCE,
        "formats": formats,
        "int8": int8,
        "failures": list_failures(formats),
    }


def digests(files: Files) -> dict[str, str]:
    """Return the SHA-256 of each file by its path."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def compare(expected: Answers, found: Answers, threshold: float) -> dict[str, Any]:
    """Compare two sets of outputs for the same images, and the decisions by a threshold on the probability.

    Returns:
        `n`, `largest_difference` of probabilities, `decision_flips`, `largest_distance_difference` (as a share, see
        `DISTANCE_TOLERANCE`) and `range_flips`; None for a difference if an output is not finite.
    """
    scale = np.maximum(np.abs(expected.distance), 1.0)
    flips = (expected.probability >= threshold) != (found.probability >= threshold)
    moves = (expected.distance.max(axis=1) > 1) != (found.distance.max(axis=1) > 1)
    return {
        "n": len(flips),
        "largest_difference": _largest(found.probability - expected.probability),
        "decision_flips": int(flips.sum()),
        "largest_distance_difference": _largest((found.distance - expected.distance) / scale),
        "range_flips": int(moves.sum()),
    }


def list_failures(formats: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the reasons why the check fails.

    Rounding may put an image whose distance equals the bound on either side of it, so only distances are held to a
    tolerance, and `range_flips` are just reported.
    """
    failures = []
    for name, by_batch in formats.items():
        for batch, record in by_batch.items():
            where = f"{name}, {batch.replace('_', ' size ')}"
            if not _within(record["largest_difference"], TOLERANCE):
                failures.append(f"{where}: probabilities differ by {record['largest_difference']}")
            if record["decision_flips"]:
                failures.append(f"{where}: {record['decision_flips']} of {record['n']:,} decisions flip")
            if not _within(record["largest_distance_difference"], DISTANCE_TOLERANCE):
                failures.append(f"{where}: distances differ by {record['largest_distance_difference']}")
    return failures


def measure_int8(found: Floats | None, exact: Floats, test: pd.DataFrame, threshold: float) -> dict[str, Any]:
    """Measure what 8 bits cost on the test images.

    Args:
        found: Probabilities in 8 bits, `[n]`; None if LiteRT cannot compute the file.
        exact: Those of the Keras model, `[n]`.
        test: Has `target` and `group`.
        threshold: On the probability.

    Returns:
        `written` and `reason`: whether the file may be written, or why not; `n`, `n_groups`, `float_auc`; and, if there
        are probabilities, `auc`, the `loss` with its paired interval, `largest_difference` and `decision_flips`.
    """
    target, group = test["target"].to_numpy(), test["group"].to_numpy()
    record = {"n": len(test), "n_groups": len(np.unique(group)), "float_auc": estimate_auc(target, exact, group)}
    if found is None or not np.isfinite(found).all():
        reason = "LiteRT cannot compute it" if found is None else "its probabilities are not finite"
        return {"written": False, "reason": reason, **record}
    loss = auc_difference(target, exact, found, group)
    is_small = loss["value"] is not None and loss["value"] <= INT8_LOSS
    return {
        "written": is_small,
        "reason": "" if is_small else f"it loses more than {INT8_LOSS} of AUC",
        **record,
        "auc": estimate_auc(target, found, group),
        "loss": loss,
        "largest_difference": _largest(found - exact),
        "decision_flips": int(((exact >= threshold) != (found >= threshold)).sum()),
    }


def check_parity(export_parity: Mapping[str, Any], files: Files) -> None:
    """Refuse files that do not pass the check.

    Raises:
        UserError: If they do not match the Keras model, or are not the files that were compared.
    """
    if failures := export_parity["failures"]:
        raise UserError(
            f"The exported files do not match the Keras model, so none was written: {'; '.join(failures)}. "
            "The figures are in export_parity. Install the releases in constraints.txt and export again."
        )
    if export_parity["sha256"] != digests(files):
        raise UserError("The exported files are not the ones that were compared. Run the whole pipeline again.")


def _ask_keras(predictor: Predictor, store: PixelStore, sha256s: pd.Series) -> Answers:
    model = with_features(predictor.model)
    parts = []
    for pixels in stored_parts(store, sha256s):
        probability, features = forward(model, pixels, BATCH_SIZE)
        described = {GREY: describe_grey(pixels), FEATURES: features}
        distance = relative_distances(described, predictor.image_range["parts"])
        in_bounds = np.column_stack([distance[kind] for kind in KINDS]) / predictor.image_range["bound"]
        parts.append(Answers(probability[:, 0].astype(np.float64), in_bounds))
    return Answers(*(np.concatenate(of_one) for of_one in zip(*parts, strict=True)))


def _ask(judge: Judge, store: PixelStore, sha256s: pd.Series, batch_size: int) -> Answers:
    parts = [judge_all(judge, pixels, batch_size) for pixels in stored_parts(store, sha256s)]
    probability, distance = (np.concatenate([part[name] for part in parts]) for name in (PROBABILITY, DISTANCE))
    return Answers(probability[:, 0].astype(np.float64), distance.astype(np.float64))


def _ask_int8(files: Files, store: PixelStore, sha256s: pd.Series) -> Floats | None:
    """Return the probabilities in 8 bits, `[n]`; None where LiteRT refuses the file, as it does at extreme scales."""
    try:
        judge = open_exported(INT8, files)
    except RuntimeError:
        return None
    parts = [judge_all(judge, pixels, BATCH_SIZE) for pixels in stored_parts(store, sha256s)]
    return np.concatenate([part[PROBABILITY] for part in parts])[:, 0].astype(np.float64)


def _largest(differences: Floats) -> float | None:
    """Return the largest difference, whichever its sign; None if one is not finite, which JSON cannot hold."""
    largest = float(np.abs(differences).max())
    return largest if np.isfinite(largest) else None


def _within(difference: float | None, tolerance: float) -> bool:
    return difference is not None and difference <= tolerance
