"""A trained model on labelled images from elsewhere: nothing is fitted there, everything is measured."""

from functools import partial
from typing import Any, TypedDict, Unpack

import pandas as pd

from pneumonia.audits import shortcuts
from pneumonia.audits.patients import compare_by_attribute, measure_by_attribute
from pneumonia.audits.shortcuts import shortcut_row
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import (
    EvaluationParameters,
    ExternalParameters,
    IngestParameters,
    LabelsParameters,
    PredictionParameters,
)
from pneumonia.images import index as image_index
from pneumonia.images.account import describe_other_classes
from pneumonia.images.attributes import ATTRIBUTES
from pneumonia.images.cache import IndexCache
from pneumonia.images.duplicates import mark_duplicates
from pneumonia.images.labels import with_labels
from pneumonia.images.source import ImageSource
from pneumonia.images.status import OK
from pneumonia.metrics.bounds import estimate_rate
from pneumonia.metrics.breakdowns import auc_row
from pneumonia.metrics.decisions import Decision, decide, on_one_scale
from pneumonia.metrics.operating_points import (
    cross_decide,
    file_name,
    fit_operating_point,
    fitted_at_a_place,
    halve_groups,
)
from pneumonia.metrics.registry import Estimate
from pneumonia.metrics.summary import SplitMetrics, split_metrics
from pneumonia.model.lineage import Lineage
from pneumonia.predictor.predictor import NO, YES, Predictor, TrainedModel
from pneumonia.predictor.reading import CHUNK, NO_LIMITS, NO_MAX_FILE_BYTES, Item, read_pixels, reading_of

EXTERNAL = "external"


class Shared(TypedDict):
    """Images, and their groups, that may be of patients of the model's own images."""

    images: int
    groups: int


class Origin(TypedDict):
    """Where external images come from, by the name of the place."""

    place: str
    shared: Shared


class ExternalMetrics(Origin):
    """The record of `measure_external`."""

    external: SplitMetrics
    in_range: SplitMetrics | None
    model_version: str
    out_of_range: float | None
    out_of_range_estimate: Estimate
    recalibrated: SplitMetrics | None


def index_external(
    external_images: ImageSource,
    index_cache: IndexCache,
    ingest: IngestParameters,
    labels: LabelsParameters,
    external: ExternalParameters,
) -> pd.DataFrame:
    """Read every image labelled by its folder or by a table completely, as ingest does; surplus copies are marked.

    Returns:
        The columns of the image index. Groups are read from file names by `external.group_patterns`, then by those
        of ingest.

    Raises:
        UserError: If no image is in a folder of either class.
    """
    source = with_labels(external_images, ingest, labels, index_cache.patient_key)
    patterns = (*external.group_patterns, *ingest.group_patterns)
    parameters = ingest.model_copy(update={"group_patterns": patterns})
    if {file.label for file in source.listing.files}.isdisjoint(ingest.class_names):
        raise UserError(
            f"{describe_other_classes(source, ingest)} An external test needs labels; without labels use kedro run "
            "--pipelines=prediction."
        )
    facts = image_index.examine_files(source, index_cache, parameters)
    return mark_duplicates(image_index.make_index(source, facts, parameters))


def list_items(source: ImageSource, index: pd.DataFrame) -> dict[str, Item]:
    """Return how to read each image of the index, by path."""
    files = {file.path: file for file in source.listing.files}
    return {
        path: Item(path, partial(source.read_file, files[path]), files[path].member.size, bits=bits)
        for path, bits in zip(index["path"], index["bits"], strict=True)
    }


def predict_external(
    external_images: ImageSource,
    external_index: pd.DataFrame,
    ingest: IngestParameters,
    prediction: PredictionParameters,
    **trained: Unpack[TrainedModel],
) -> pd.DataFrame:
    """Score the usable images with the frozen model, calibration and threshold.

    Returns:
        path, group, label, target, sha256, probability, decision (1: positive, whether or not the image is in range),
        in_range, reason, model_version, the network's `own_probability`, and what else is known of an image.
    """
    decision = on_one_scale(trained["decision"])
    trained["decision"] = {**decision, "calibration": {**decision["calibration"], "method": "none"}}
    predictor = Predictor.from_run(**trained)
    rows = external_index[external_index["status"] == OK].reset_index(drop=True)
    items = list_items(external_images, rows)
    said = predictor.predict(
        [items[path] for path in rows["path"]],
        batch_size=prediction.batch_size,
        limits=NO_LIMITS,
        max_file_bytes=NO_MAX_FILE_BYTES,
    )
    if (said["probability"].isna()).any():
        first = said[said["probability"].isna()].iloc[0]
        raise UserError(f"{first['path']} changed since it was indexed ({first['reason']}). Run again.")
    extra = [name for name in ATTRIBUTES if name in rows.columns]
    keys = rows[["path", "group", "label", "sha256", *extra]].assign(
        target=(rows["label"] == ingest.positive_class).astype(int)
    )
    values = said[["probability", "in_range", "reason", "model_version"]]
    return decide(keys.join(values), decision).assign(own_probability=said["probability"])


def measure_external(
    external_predictions: pd.DataFrame,
    decision: Decision,
    evaluation: EvaluationParameters,
    external: ExternalParameters,
    external_origin: Origin,
) -> ExternalMetrics:
    """Measure every metric of the evaluation with its interval, on all images and on those in range.

    Returns:
        "place" and "shared" of `known_images.describe_origin`; "external": the record of a split as in `metrics`;
        "in_range": the same without images out of range (None where a class is missing); "model_version";
        "out_of_range" (share), also with an interval as "out_of_range_estimate"; "recalibrated": of `recalibrate`
        (None unless asked for).
    """
    inside = external_predictions[external_predictions["in_range"] == YES]
    outside = estimate_rate(
        (external_predictions["in_range"] == NO).to_numpy(), external_predictions["group"].to_numpy()
    )
    return {
        **external_origin,
        "external": _measured(external_predictions, decision, evaluation),
        "in_range": _measured(inside, decision, evaluation) if inside["target"].nunique() == 2 else None,
        "model_version": str(external_predictions["model_version"].iloc[0]),
        "out_of_range": outside["value"],
        "out_of_range_estimate": outside,
        "recalibrated": recalibrate(external_predictions, evaluation) if external.recalibrate else None,
    }


def _measured(rows: pd.DataFrame, rule: Decision, parameters: EvaluationParameters) -> SplitMetrics:
    return split_metrics(rows.assign(split=EXTERNAL), EXTERNAL, rule["threshold"], parameters)


def recalibrate(predictions: pd.DataFrame, parameters: EvaluationParameters) -> SplitMetrics:
    """Measure all images at what is fitted as the operating point of the place, cross-fitted over halves of the groups.

    Returns:
        The record of a split as in `metrics`.

    Raises:
        UserError: If a half lacks a class.
    """
    scores = _halved(predictions, parameters)
    if (scores.groupby("fold")["target"].nunique() < 2).any():
        raise UserError("external.recalibrate needs both classes in each half of the groups: there are too few images.")
    crossed = cross_decide(scores, fitted_at_a_place(parameters))
    return split_metrics(crossed.assign(split=EXTERNAL), EXTERNAL, None, parameters)


def _halved(predictions: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Return the images with the network's own probability, and the halves of the groups as folds."""
    own, fold = predictions["own_probability"], halve_groups(predictions, parameters.seed)
    return predictions.assign(probability=own, fold=fold)


def fit_external_point(
    external_predictions: pd.DataFrame,
    external_origin: Origin,
    decision: Decision,
    evaluation: EvaluationParameters,
    external: ExternalParameters,
) -> tuple[Decision | dict[str, Any], dict[str, Decision]]:
    """Fit an operating point of the place on all images, if asked for; also return it by file name.

    Its sensitivity and specificity are from half of the groups each, at what was fitted on the other half.
    """
    if not external.recalibrate:
        return {}, {}
    scores = _halved(external_predictions, evaluation)
    point = fit_operating_point(scores, external_origin["place"], decision["weights_sha256"], evaluation)
    return point, {file_name(point): point}


def measure_attributes(external_predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure age bands, sexes, views and devices apart, if the source names them, and compare them."""
    return measure_by_attribute(external_predictions), compare_by_attribute(external_predictions)


def audit_external(
    external_predictions: pd.DataFrame,
    external_index: pd.DataFrame,
    external_images: ImageSource,
    model_lineage: Lineage,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Measure how well properties of files and borders alone distinguish the classes, compared with the network.

    Returns:
        predictor, images, auc, low, high, n, n_positive, n_groups, and `behind_network`: by how much the AUC is below
        the network's, with paired bounds. Properties are scored by cross-validation over groups; none is where a class
        has fewer groups than folds.
    """
    said = external_predictions
    rows = [auc_row(shortcuts.Basis.NETWORK, EXTERNAL, said, said["probability"].to_numpy())]
    if not shortcuts.can_be_crossed(said):
        return pd.DataFrame(rows)
    items, paths, how = list_items(external_images, external_index), said["path"], reading_of(model_lineage)
    parts = []
    for start in range(0, len(paths), CHUNK):
        pixels = read_pixels([items[path] for path in paths[start : start + CHUNK]], how)
        parts.append(shortcuts.pixel_features(pixels).join(shortcuts.rim_features(pixels)))
    files = shortcuts.file_features(external_index.set_index("path").loc[paths]).reset_index(drop=True)
    keys = said[["path", "target", "group"]].reset_index(drop=True)
    features = pd.concat([keys, files, pd.concat(parts, ignore_index=True)], axis=1)
    for name in shortcuts.ELSEWHERE:
        scores = shortcuts.cross_validated_scores(name, features, parameters.seed)
        rows.append(shortcut_row(name, EXTERNAL, keys.assign(probability=scores), said))
    return pd.DataFrame(rows)
