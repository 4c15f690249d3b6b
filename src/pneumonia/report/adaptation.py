"""The page on an adaptation: what it brought the new place, what the model forgot, and what speaks against it."""

import math
from typing import TypedDict, Unpack

import pandas as pd

from pneumonia.adaptation.fits import CurveNetwork
from pneumonia.adaptation.measure import COMPARED, AdaptationMetrics, Compared
from pneumonia.adaptation.plan import COST, NEW, TEST, size_of
from pneumonia.audits.external import EXTERNAL
from pneumonia.base.environment import RunContext
from pneumonia.base.parameters import AdaptationParameters, ReportParameters
from pneumonia.metrics.bounds import say_difference
from pneumonia.metrics.calibration import is_constant
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.registry import Estimate, value_of
from pneumonia.metrics.summary import SplitMetrics
from pneumonia.model.lineage import Lineage
from pneumonia.report.external import judge_auc, say_fates, tabulate_shortcuts
from pneumonia.report.findings import judge_precision
from pneumonia.report.judgements import judge_calibration
from pneumonia.report.limits import say_training_images
from pneumonia.report.render import render
from pneumonia.report.shortcuts import judge_shortcuts
from pneumonia.report.words import Finding, Level, finding, gravest_first, say_bounds, say_estimate, say_number


class AdaptationMaterial(TypedDict):
    """The tables, records and figures of the page, named as in the catalog."""

    external_index: pd.DataFrame
    adaptation_plan: pd.DataFrame
    adaptation_metrics: AdaptationMetrics
    adaptation_curve: pd.DataFrame
    adaptation_shortcuts: pd.DataFrame
    adaptation_planning: pd.DataFrame
    adaptation_point: Decision
    adaptation_curve_figure: bytes
    adaptation_change_figure: bytes
    model_lineage: Lineage
    run_context: RunContext


LARGE_LOSS = 0.01  # of AUC, on the model's own test images


def list_adaptation_findings(
    adaptation_metrics: AdaptationMetrics, shortcuts: pd.DataFrame, lineage: Lineage
) -> list[Finding]:
    """List points for and against an adaptation, each by a stated rule; the gravest first.

    Args:
        adaptation_metrics: As `adaptation.measure.measure_adaptation` makes it.
        shortcuts: The table of `audits.external.audit_external`, with the adapted network.
        lineage: Of the adapted model.
    """
    new, own = adaptation_metrics["new"], adaptation_metrics["own"]
    after, where = new["after"], f"on the images of “{lineage['adaptation']['place']}”"
    findings = [
        _judge_gain(new["difference"]["auc"]),
        judge_auc(after["auc"], lineage["class_names"][1]),
        _judge_forgetting(own),
        _judge_rehearsal(lineage["adaptation"]["rehearsed"]),
        judge_shortcuts(shortcuts, EXTERNAL, where),
        judge_calibration(after, where),
        judge_precision(after, "images of the new place"),
    ]
    return gravest_first([one for one in findings if one is not None])


def _judge_gain(gain: Estimate) -> Finding:
    text = f"The AUC on the new place rose by {say_number(gain['value'])} ({say_bounds(gain)}, paired)."
    verdict = say_difference(gain)
    if verdict == "better":
        return finding(Level.GOOD, "Better on the new place than before", text)
    if verdict == "worse":
        return finding(Level.BAD, "Worse on the new place than before", text.replace("rose", "changed"))
    return finding(Level.BAD, "Not shown to be better on the new place than before", text.replace("rose", "changed"))


def _judge_forgetting(own: Compared | None) -> Finding:
    if own is None:
        return finding(
            Level.BAD,
            "What the model forgot is not known",
            "The images on which the model was tested are not in the pixel store. Do not use it on images of the place "
            "that it comes from.",
        )
    change = own["difference"]["auc"]
    text = f"AUC on the model's own test images: {say_number(own['before']['auc']['value'])} before, "
    text += f"{say_number(own['after']['auc']['value'])} after; change {say_number(change['value'])} "
    text += f"({say_bounds(change)}, paired)."
    if say_difference(change) == "worse":
        level = Level.BAD if value_of(change) < -LARGE_LOSS else Level.CAUTION
        return finding(level, "Worse on its own images than before", text)
    if change["low"] is None or change["low"] < -LARGE_LOSS:
        return finding(Level.CAUTION, f"A loss of more than {LARGE_LOSS} on its own images is not excluded", text)
    return finding(Level.GOOD, f"On its own images at most {LARGE_LOSS} worse than before", text)


def _judge_rehearsal(rehearsed: int) -> Finding | None:
    if rehearsed:
        return None
    return finding(Level.BAD, "No own image was rehearsed", COST)


def count_further(after: SplitMetrics, width: float) -> int | None:
    """Return how many more images the AUC's interval takes to be this wide; None where it has no bounds.

    The width falls with the square root of the number of images, if those to come are like these.
    """
    auc = after["auc"]
    if auc["low"] is None or auc["high"] is None:
        return None
    return max(0, math.ceil(after["n"] * (((auc["high"] - auc["low"]) / width) ** 2 - 1)))


def tabulate_change(adaptation_metrics: AdaptationMetrics) -> pd.DataFrame:
    """Put before, after and the difference of the compared metrics in words, the new place first."""
    rows = [
        {
            "images": where,
            "metric": "AUC" if name == "auc" else name,
            "before": say_estimate(record["before"][name]),
            "after": say_estimate(record["after"][name]),
            "change, paired": say_estimate(record["difference"][name]),
        }
        for where, record in (("new place", adaptation_metrics["new"]), ("own test", adaptation_metrics["own"]))
        if record is not None
        for name in COMPARED
    ]
    return pd.DataFrame(rows)


def tabulate_curve(adaptation_curve: pd.DataFrame) -> pd.DataFrame:
    """Give the mean AUC of the draws for each kind of network and number of groups, with the lowest and the highest."""
    labels = [kind.label for kind in CurveNetwork]
    named = pd.Categorical([CurveNetwork(name).label for name in adaptation_curve["network"]], labels)
    sizes = adaptation_curve.assign(groups=_joined_ends(adaptation_curve), network=named)
    grouped = sizes.groupby(["network", "groups"], sort=True, observed=True)
    table = grouped.agg(
        images=("images", "mean"),
        draws=("auc", "size"),
        mean_AUC=("auc", "mean"),
        low=("auc", "min"),
        high=("auc", "max"),
    )
    table["images"] = table["images"].round().astype(int)
    return table.reset_index().rename(columns={"low": "lowest", "high": "highest"})


def _joined_ends(curve: pd.DataFrame) -> pd.Series:
    """Return the numbers of groups, with one number, the mean, for the ends of the draws: they differ by a few."""
    ends = curve["groups"] == curve.groupby("draw")["groups"].transform("max")
    return curve["groups"].mask(ends, round(curve.loc[ends, "groups"].mean())) if len(curve) else curve["groups"]


def write_adaptation_report(
    parameters: AdaptationParameters, report: ReportParameters, **material: Unpack[AdaptationMaterial]
) -> str:
    """Write the page: one self-contained HTML file.

    Args:
        parameters: How the model was adapted.
        report: Where the model's own images come from.
        **material: The tables, records and figures, named as in the catalog.
    """
    lineage, plan, metrics = material["model_lineage"], material["adaptation_plan"], material["adaptation_metrics"]
    own_images, place_images = size_of(plan, parameters)
    return render(
        "adaptation.html",
        **material,
        parameters=parameters,
        training_images=say_training_images(report),
        adaptation=lineage["adaptation"],
        new=metrics["new"],
        own=metrics["own"],
        positive=lineage["class_names"][1],
        findings=list_adaptation_findings(metrics, material["adaptation_shortcuts"], lineage),
        change=tabulate_change(metrics),
        curve=tabulate_curve(material["adaptation_curve"]),
        curve_images=max([parameters.curve_images, *material["adaptation_curve"]["images"]]),
        epoch_images=own_images + place_images,
        own_share=own_images / (own_images + place_images),
        shortcut_table=tabulate_shortcuts(material["adaptation_shortcuts"]),
        further=count_further(metrics["new"]["after"], parameters.interval_width),
        fates=say_fates(material["external_index"]["status"]),
        has_test=bool((plan["split"] == TEST).any()),
        n_new=int((plan["split"] == NEW).sum()),
        is_flat=is_constant(material["adaptation_point"]["calibration"]),
    )
