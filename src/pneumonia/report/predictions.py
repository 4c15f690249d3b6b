"""The page on new images: limits first, then the most suspicious ones with their maps, then all of them in a table."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pneumonia.audits.known_images import OwnImages
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import PredictionParameters, ReportParameters
from pneumonia.images.source import ImageSource
from pneumonia.metrics.calibration import is_constant
from pneumonia.metrics.decisions import Decision
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import grad_cam
from pneumonia.predictor.predictor import NO, YES
from pneumonia.predictor.reading import items_of, read_pixels, reading_of, with_ranges
from pneumonia.report.gallery import overlay, webp_uri
from pneumonia.report.limits import say_training_images
from pneumonia.report.render import render
from pneumonia.report.words import MANY_OUTSIDE, is_or_are, say_command, say_estimate, say_threshold

ROWS_A_FOLD = 250  # of the table: a browser lays out only the folds that are open
OUTSIDE_SHOWN = 0.2  # largest share of the pictures that show images out of range
MAPS_AT_ONCE = 64


def sort_by_suspicion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Sort scored images by falling probability, then those out of range, then unusable ones."""
    rank = predictions["in_range"].map({YES: 0, NO: 1}).fillna(2)
    ordered = predictions.assign(rank=rank).sort_values(
        ["rank", "probability", "path"], ascending=[True, False, True], kind="stable"
    )
    return ordered.drop(columns="rank").reset_index(drop=True)


def choose_shown(predictions: pd.DataFrame, most: int) -> pd.DataFrame:
    """Choose the images to show: the most suspicious ones, and some of those out of range."""
    ordered = sort_by_suspicion(predictions)
    outside = ordered[ordered["in_range"] == NO].head(int(most * OUTSIDE_SHOWN))
    return pd.concat([ordered[ordered["in_range"] == YES].head(most - len(outside)), outside], ignore_index=True)


def draw_new_maps(
    new_images: ImageSource,
    pneumonia_model: Model,
    model_lineage: Lineage,
    new_predictions: pd.DataFrame,
    parameters: PredictionParameters,
) -> list[dict[str, Any]]:
    """Draw the chosen images; beside those in range, the map of what supports the positive class.

    Args:
        new_images: Where the images are; they are read again.
        pneumonia_model: The trained network.
        model_lineage: Size and decoding of its images.
        new_predictions: One row per image.
        parameters: How many to show.

    Returns:
        The chosen rows as records, with `image` and `overlay` as data URIs; `overlay` is empty out of range.
    """
    shown = choose_shown(new_predictions, parameters.shown_images)
    how = reading_of(model_lineage)
    items = {item.path: item for item in with_ranges(items_of(new_images), how)}
    records = []
    for start in range(0, len(shown), MAPS_AT_ONCE):
        rows = shown.iloc[start : start + MAPS_AT_ONCE]
        pixels = read_pixels([items[path] for path in rows["path"]], how)
        maps = grad_cam(pneumonia_model, pixels)
        for record, image, cam in zip(rows.to_dict("records"), pixels[..., 0], maps, strict=True):
            is_judged = record["in_range"] == YES
            drawn = {"image": webp_uri(image), "overlay": webp_uri(overlay(image, cam)) if is_judged else ""}
            records.append({**record, **drawn})
    return records


def count_outcomes(predictions: pd.DataFrame, class_names: list[str]) -> dict[str, int]:
    """Count the images: `all`, each class by name, `out of range`, `not usable`."""
    decided = predictions["decision"].value_counts()
    counts = {name: int(decided.get(name, 0)) for name in reversed(class_names)}
    outside, judged = int((predictions["in_range"] == NO).sum()), sum(counts.values())
    rest = {"out of range": outside, "not usable": len(predictions) - outside - judged}
    return {"all": len(predictions), **counts, **rest}


def list_prediction_limits(
    counts: Mapping[str, int], decision: Decision, positive: str, own: OwnImages, test_command: str
) -> list[str]:
    """List what the page does not show, the gravest first; `test_command` is that of a test elsewhere."""
    limits = [
        "Research software, not a medical device. No decision about a patient may rest on it.",
        "No labels were read: nothing here says how often the model is right on these images. "
        f"First test it on labelled images from the same place ({test_command}).",
    ]
    if not own["checked"]:
        limits.append(
            "The newest split is not the model's, so it was not checked whether some of these images are the model's "
            "own."
        )
    elif by_split := own["by_split"]:
        listed = ", ".join(f"{count:,} of {split}" for split, count in by_split.items())
        n = sum(by_split.values())
        text = f"{n:,} of these images {is_or_are(n)}, byte for byte, the model's own ({listed})."
        if set(by_split) - {"test"}:
            text += " Expect it to do better on those of train and val, from which it was made, than on others."
        limits.append(text)
    usable, outside = counts["all"] - counts["not usable"], counts["out of range"]
    if usable and outside > MANY_OUTSIDE * usable:
        limits.append(
            f"{outside:,} of {usable:,} images {is_or_are(outside)} unlike the training images (of images like those "
            "of its own validation, 1 in 100 would be): the model may not suit this source at all, and may be wrong on "
            "images in range too."
        )
    called = f"An image is called {positive} at a probability of {say_threshold(decision['threshold'])} or more"
    if decision["threshold"] > 1:
        called = f"No image is called {positive}: the threshold is above every probability"
    limits.append(f"{called}; {_say_fitted(decision)}.")
    if is_constant(decision["calibration"]):
        limits.append(
            "That calibration gives every image the same probability, because the network ranked the images that it "
            "was fitted on no better than chance. Do not use these decisions."
        )
    limits.append("A map shows what raised the network's probability, not where a finding is.")
    return limits


def _say_fitted(decision: Decision) -> str:
    """Say which parts of a decision were fitted, and on which images."""
    if "place" in decision:
        return say_point(decision)
    calibrated, is_set = decision["calibration"]["method"] != "none", decision["rule"] == "fixed"
    images = (
        f"fitted on {decision['fitted_on']['n']:,} validation images of the training source, with its share of "
        "positives"
    )
    if calibrated and is_set:
        return f"the threshold was set beforehand and the calibration was {images}"
    if calibrated:
        return f"calibration and threshold were {images}"
    threshold = "the threshold was set beforehand" if is_set else f"the threshold was {images}"
    return f"{threshold}; the probability is not calibrated"


def _say_calibrated(decision: Decision) -> str:
    """Say on which images the probability was calibrated; nothing if it was not."""
    if decision["calibration"]["method"] == "none":
        return ""
    where = f"labelled images of {decision['place']}" if "place" in decision else "validation"
    return f", calibrated on {where}"


def say_point(point: Decision) -> str:
    """Say where an operating point was fitted, and what it was worth there."""
    on = point["fitted_on"]
    return (
        f"threshold and calibration were fitted on {on['n']:,} labelled images of {on['n_groups']:,} groups from "
        f"{point['place']}, with a sensitivity of {say_estimate(point['sensitivity'])} and a specificity of "
        f"{say_estimate(point['specificity'])} there, cross-fitted"
    )


def write_prediction_report(
    predictions: pd.DataFrame,
    lineage: Lineage,
    decision: Decision,
    own: OwnImages,
    report: ReportParameters,
    **shown: Any,
) -> str:
    """Write the page: one self-contained HTML file.

    Args:
        predictions: One row per image file.
        lineage: Names the classes.
        decision: Calibration and threshold.
        own: Images that are the model's own, as `audits.known_images.count_own` counts them.
        report: Where the model's own images come from.
        **shown: `maps`, the pictures of `draw_new_maps`, and `run_context`, command and versions.
    """
    maps: list[dict[str, Any]] = shown["maps"]
    class_names = lineage["class_names"]
    counts = count_outcomes(predictions, class_names)
    test_command = say_command(shown["run_context"], "--pipelines=external")
    first, *others = list_prediction_limits(counts, decision, class_names[1], own, test_command)
    ordered = sort_by_suspicion(predictions)
    usable = ordered[ordered["in_range"] != ""]
    return render(
        "predictions.html",
        counts=counts,
        positive=class_names[1],
        threshold=decision["threshold"],
        calibrated_on=_say_calibrated(decision),
        limits=[*filter(None, [first, say_training_images(report)]), *others],
        inside=[record for record in maps if record["in_range"] == YES],
        outside=[record for record in maps if record["in_range"] == NO],
        folds=[usable.iloc[start : start + ROWS_A_FOLD] for start in range(0, len(usable), ROWS_A_FOLD)],
        rejected=ordered[ordered["in_range"] == ""],
        run_context=shown["run_context"],
    )
