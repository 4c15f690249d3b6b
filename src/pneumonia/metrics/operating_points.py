"""A place's own operating point: calibration and threshold fitted on labelled images of the place, kept by its name."""

import re

import numpy as np
import pandas as pd

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.places import AUTO, NONE, plain_place
from pneumonia.metrics.calibration import is_constant
from pneumonia.metrics.decisions import Decision, decide, make_decision
from pneumonia.metrics.intervals import estimate_both_rates


def name_place(place: str, source: str) -> str:
    """Return the name of a place: as it was given, or that of the source of its images, as far as it can be given."""
    return plain_place(source) if place == AUTO else place


def fit_operating_point(
    scores: pd.DataFrame, place: str, weights_sha256: str, parameters: EvaluationParameters
) -> Decision:
    """Fit calibration and threshold on a place's images.

    Args:
        scores: target, group, `probability` and `fold` of each image: every image is also decided by what was fitted on
            the other folds, which shows what the fit is worth.
        place: Its name.
        weights_sha256: Of the model.
        parameters: `calibration`, `threshold_rule` and its number; Youden's rule where the threshold is not fitted, and
            a logistic calibration where there is none.

    Returns:
        A decision, with `place`, `fitted_on` (n, n_groups, n_positive), and `sensitivity` and `specificity`, from
        cross-fitting.
    """
    parameters = fitted_at_a_place(parameters)
    crossed = cross_decide(scores, parameters)
    columns = (crossed[name].to_numpy() for name in ("target", "decision", "group"))
    (sensitivity, specificity), _ = estimate_both_rates(*columns)
    return {
        "place": place,
        **make_decision(scores.assign(split="val"), {"weights_sha256": weights_sha256}, parameters),
        "fitted_on": {
            "place": place,
            "n": len(scores),
            "n_groups": int(scores["group"].nunique()),
            "n_positive": int(scores["target"].sum()),
        },
        "sensitivity": sensitivity,
        "specificity": specificity,
    }


def fitted_at_a_place(parameters: EvaluationParameters) -> EvaluationParameters:
    """Return the parameters with a rule and a calibration that are fitted, where the model's own are not.

    A place's threshold is not the one that was set for all. And its calibration is fitted on the images that it is for:
    what speaks against calibrating on the model's own validation images, that others differ, does not hold there.
    """
    rule = "youden" if parameters.threshold_rule == "fixed" else parameters.threshold_rule
    calibration = "logistic" if parameters.calibration == "none" else parameters.calibration
    return parameters.model_copy(update={"threshold_rule": rule, "calibration": calibration})


def cross_decide(scores: pd.DataFrame, parameters: EvaluationParameters) -> pd.DataFrame:
    """Calibrate and decide each fold by what was fitted on the others: as `metrics.decisions.decide` does."""
    parts = []
    for fold, part in scores.groupby("fold", sort=True):
        others = scores[scores["fold"] != fold].assign(split="val")
        parts.append(decide(part, make_decision(others, {}, parameters)))
    return pd.concat(parts).sort_index()


def file_name(point: Decision) -> str:
    """Return under which name an operating point is kept: by place and model."""
    place = re.sub(r"[^\w.-]+", "-", point["place"])
    return f"{place}-{point['weights_sha256'][:12]}"


def choose_operating_point(decision: Decision, operating_points: dict[str, Decision], place: str) -> Decision:
    """Return the decision to use: the model's own, or that of a place.

    Args:
        decision: The model's own, fitted on its validation images.
        operating_points: Those of all places and models, by `file_name`; others, such as a copy, do not count.
        place: The name of one, or "none".

    Raises:
        UserError: If nothing was fitted for this place and model, or what was gives every image the same probability.
    """
    if place == NONE:
        return decision
    fitted = {
        point["place"]: point
        for name, point in operating_points.items()
        if point["weights_sha256"] == decision["weights_sha256"] and name == file_name(point)
    }
    if place not in fitted:
        raise UserError(
            f"Nothing was fitted for the place {place!r} and this model; there is: "
            f"{', '.join(sorted(fitted)) or 'none'}. Fit it by kedro run --pipelines=external "
            "--params=images=PATH,external.recalibrate=true, or by --pipelines=adaptation."
        )
    if is_constant(fitted[place]["calibration"]):
        raise UserError(
            f"What was fitted for the place {place!r} gives every image the same probability, because the network "
            "ranked the images there no better than chance. Leave prediction.place out, or adapt the model to such "
            "images: --pipelines=adaptation."
        )
    return fitted[place]


def halve_groups(scores: pd.DataFrame, seed: int) -> pd.Series:
    """Return the half of the groups in which each image is, 1 or 2."""
    groups = np.random.default_rng(seed).permutation(np.unique(scores["group"]))
    return scores["group"].isin(groups[: len(groups) // 2]).map({True: 1, False: 2})
