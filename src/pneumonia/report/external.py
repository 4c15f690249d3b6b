"""The external report: verdict, points against the result, and metrics compared with the model's own test."""

from typing import TypedDict, Unpack

import pandas as pd

from pneumonia.audits.external import EXTERNAL, ExternalMetrics, Shared
from pneumonia.audits.known_images import KNOWN
from pneumonia.audits.shortcuts import BEHIND, FOLDS, Basis
from pneumonia.base.environment import RunContext
from pneumonia.base.parameters import ReportParameters
from pneumonia.images.status import DUPLICATE, LEFT_OUT, OK, OTHER, REJECTED
from pneumonia.metrics.bounds import difference, say_difference
from pneumonia.metrics.calibration import is_constant
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.registry import Estimate, from_columns, value_of
from pneumonia.metrics.summary import Metrics
from pneumonia.model.lineage import Lineage
from pneumonia.report.judgements import (
    judge_calibration,
    judge_confounding,
    judge_patients,
    say_multiplicity,
    tabulate_differences,
)
from pneumonia.report.limits import say_training_images
from pneumonia.report.render import render
from pneumonia.report.shortcuts import judge_shortcuts
from pneumonia.report.words import (
    CHANCE,
    MANY_OUTSIDE,
    Finding,
    Level,
    finding,
    gravest_first,
    is_or_are,
    say_beside_chance,
    say_bounds,
    say_count,
    say_interval,
    say_number,
    say_percent,
    say_share_bounds,
)

LARGE_FALL = 0.05  # of AUC, against our own test
STATUS_LABELS = {
    OK: "used",
    KNOWN: "refused: the model's own images",
    DUPLICATE: "left out: copies of others",
    LEFT_OUT: "left out by the table of labels",
    REJECTED: "unusable",
    OTHER: "other objects than a frontal chest radiograph",
}


class ExternalFindingsMaterial(TypedDict):
    """What the points for and against an external result rest on."""

    external_metrics: ExternalMetrics
    metrics: Metrics
    external_shortcuts: pd.DataFrame
    external_subgroups: pd.DataFrame
    external_differences: pd.DataFrame


class ExternalMaterial(ExternalFindingsMaterial):
    """The tables, records and figures of the page, named as in the catalog."""

    external_index: pd.DataFrame
    external_predictions: pd.DataFrame
    external_planning: pd.DataFrame
    external_point: Decision
    external_roc_figure: bytes
    external_score_figure: bytes
    external_calibration_figure: bytes
    predictions: pd.DataFrame
    decision: Decision
    model_lineage: Lineage
    run_context: RunContext


def list_external_findings(material: ExternalFindingsMaterial, positive: str) -> list[Finding]:
    """List points for and against the external result, each by a stated rule; the gravest first.

    Args:
        material: By name.
        positive: Name of the positive class.

    Returns:
        Records of `level` (a `Level`), `title` and `text`.
    """
    there, test = material["external_metrics"]["external"], material["metrics"]["test"]
    where = f"on the images of {name_place(material['external_metrics'])}"
    findings: list[Finding | None] = [judge_auc(there["auc"], positive), _judge_fall(there["auc"], test["auc"], where)]
    findings.append(_judge_shared(material["external_metrics"]["shared"]))
    findings.append(_judge_outside(material["external_metrics"]["out_of_range_estimate"]))
    findings.append(judge_calibration(there, where))
    findings.append(judge_shortcuts(material["external_shortcuts"], EXTERNAL, where))
    findings.append(judge_confounding(material["external_subgroups"], where))
    findings.append(judge_patients(material["external_subgroups"], material["external_differences"], where))
    is_guess = (there["auc"]["low"] or 0) <= CHANCE  # a guess has nothing in its favour
    kept = [one for one in findings if one is not None and not (is_guess and one["level"] == Level.GOOD)]
    return gravest_first(kept)


def name_place(external_metrics: ExternalMetrics) -> str:
    """Name the place that the images come from, in quotes; records of earlier releases do not tell."""
    return f"“{external_metrics['place']}”" if "place" in external_metrics else "another place"


def _judge_shared(shared: Shared) -> Finding | None:
    if not shared["images"]:
        return None
    images, groups = say_count(shared["images"], "image"), say_count(shared["groups"], "group")
    verbs = ("is", "contains") if shared["groups"] == 1 else ("are", "contain")
    text = f"{images} {is_or_are(shared['images'])} of {groups} that {verbs[0]} called like groups of the model's own "
    text += f"images, or {verbs[1]} one of these. If they are the same patients, this is no test on others."
    return finding(Level.CAUTION, "Patients of the model's own images may be among them", text)


def _judge_outside(outside: Estimate) -> Finding:
    text = f"{say_percent(outside['value'])} of the images are out of range ({say_share_bounds(outside)}); of images "
    text += "like those of validation about 1% would be."
    if outside["high"] is not None and outside["high"] <= MANY_OUTSIDE:
        return finding(Level.GOOD, "The images look like the training images", text)
    if value_of(outside) > MANY_OUTSIDE:
        return finding(Level.CAUTION, "Many images are unlike the training images", text)
    title = f"More than {say_percent(MANY_OUTSIDE, 0)} of images unlike the training images are not excluded"
    return finding(Level.CAUTION, title, text)


def judge_auc(auc: Estimate, positive: str) -> Finding:
    """Say whether an AUC is better than chance, or worse."""
    if auc["low"] is None or auc["high"] is None:
        return finding(
            Level.BAD, "No interval", "One class has too few groups: skill cannot be distinguished from chance."
        )
    interval = f"AUC {say_number(auc['value'])}, 95% interval {say_beside_chance(auc)}"
    if auc["high"] < CHANCE:
        return finding(
            Level.BAD,
            "Worse than chance: are the labels swapped?",
            f"{interval}: the network ranks {positive} images below the others. Check ingest.positive_class and the "
            "class folders; if they are correct, the model must not be used on such images.",
        )
    if auc["low"] <= CHANCE:
        return finding(
            Level.BAD,
            "Not shown to be better than chance",
            f"{interval}, which includes 0.5: no skill is shown on these images.",
        )
    return finding(Level.GOOD, "Better than chance", f"{interval}.")


def _judge_fall(there: Estimate, own: Estimate, where: str) -> Finding:
    fall = difference(own, there)
    text = f"AUC {say_number(own['value'])} on the model's own test, {say_number(there['value'])} {where}; difference "
    text += f"{say_number(fall['value'])} ({say_bounds(fall)})."
    if fall["low"] is not None and fall["low"] > LARGE_FALL:
        return finding(
            Level.BAD, "Much worse than on its own test", f"{text} The results of that test do not hold here."
        )
    if say_difference(fall) == "better":
        return finding(Level.CAUTION, "Worse than on its own test", text)
    if fall["high"] is None or fall["high"] > LARGE_FALL:
        return finding(Level.CAUTION, f"A loss of more than {LARGE_FALL} is not excluded", text)
    return finding(Level.GOOD, f"At most {LARGE_FALL} below its own test", text)


def write_external_report(report: ReportParameters, **material: Unpack[ExternalMaterial]) -> str:
    """Write the page: one self-contained HTML file.

    Args:
        report: Where the model's own images come from.
        **material: The tables, records and figures, named as in the catalog.
    """
    there, test = material["external_metrics"]["external"], material["metrics"]["test"]
    negative, positive = material["model_lineage"]["class_names"]
    shortcuts, point = material["external_shortcuts"], material["external_point"]
    return render(
        "external.html",
        **material,
        training_images=say_training_images(report),
        there=there,
        place=name_place(material["external_metrics"]),
        test=test,
        positive=positive,
        negative=negative,
        findings=list_external_findings(material, positive),
        difference_table=tabulate_differences(material["external_differences"]),
        say_multiplicity=say_multiplicity,
        FOLDS=FOLDS,
        is_cross_validated=len(shortcuts) > 1,
        is_flat=bool(point) and is_constant(point["calibration"]),
        fates=say_fates(material["external_index"]["status"]),
        unused=material["external_index"].query("status != 'ok'"),
        shortcut_table=tabulate_shortcuts(shortcuts),
    )


def say_fates(status: pd.Series) -> str:
    """Say how many of the files were used, and what became of the others."""
    return ", ".join(f"{count:,} {STATUS_LABELS[name]}" for name, count in status.value_counts().items())


def tabulate_shortcuts(shortcuts: pd.DataFrame) -> pd.DataFrame:
    """Put the table of `audits.external.audit_external` as the page shows it: the best first, intervals in words."""
    rows = shortcuts.sort_values("auc", ascending=False).to_dict("records")
    leads = [None if row["predictor"] == Basis.NETWORK else from_columns(row, BEHIND) for row in rows]
    return pd.DataFrame(
        {
            "predictor": [Basis(row["predictor"]).label for row in rows],
            "AUC": [row["auc"] for row in rows],
            "95% interval": [say_interval(row) for row in rows],
            "network ahead by": [say_number(lead["value"]) if lead else "" for lead in leads],
            "95% interval, paired": [say_interval(lead) if lead else "" for lead in leads],
        }
    )
