"""Points for and against a result. Each finding follows from the tables by a rule written beside it.

No heading claims more than its interval: a difference is claimed only if the interval excludes zero, and equivalence
only if the interval excludes a difference that would matter.
"""

import pandas as pd

from pneumonia.audits.regions import Region
from pneumonia.metrics.bounds import difference, say_difference
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.registry import from_columns, value_of
from pneumonia.metrics.summary import Metrics, SplitMetrics
from pneumonia.report.framing import LARGE_LOSS, Loss, judge_framing, judge_losses, judge_reframed, say_loss
from pneumonia.report.judgements import (
    judge_calibration,
    judge_confounding,
    judge_maps,
    judge_patients,
    judge_pointing,
    judge_stretches,
)
from pneumonia.report.material import FindingsMaterial
from pneumonia.report.provenance import count_of, say_shared, shared_by_unit
from pneumonia.report.shortcuts import judge_middle_third, judge_shortcuts, judge_twins
from pneumonia.report.words import (
    CHANCE,
    Finding,
    Level,
    finding,
    gravest_first,
    say_beside_chance,
    say_bounds,
    say_count,
    say_estimate,
    say_number,
    say_percent,
    say_threshold,
)
from pneumonia.split.leak_audit import SplitBy, Unit, sides_of
from pneumonia.split.summary import FlowStep

LARGE_GAP = 0.02  # of AUC, between validation and test
MEDIUM = 2  # the strength of a medium corruption
TELLING_REGION = 0.7  # AUC from the rim of the image alone
WIDE_INTERVAL = 0.06  # of AUC
POOR_THRESHOLD = 0.05  # of balanced accuracy on validation, below that of the best threshold

OUT_OF_DISTRIBUTION = (
    "In training, no more than a small rectangle of an image was covered, so these figures do not measure the "
    "information in each region (Hooker et al., NeurIPS 2019)."
)


def write_verdict(metrics: Metrics, leak_audit: pd.DataFrame, positive: str, negative: str, test_name: str) -> str:
    """Say what was measured on test, in a paragraph that a person can repeat without overstating it."""
    test = metrics["test"]
    missed, alarms = test["confusion"]["fn"], test["confusion"]["fp"]
    n_negative = test["n"] - test["n_positive"]
    shared = {
        name: shared_by_unit(leak_audit, sides_of(split, "test")).get(Unit.GROUP, 0)
        for split, name in (("train", "train"), ("val", "validation"))
    }
    known = " and ".join(f"{count:,} in {name}" for name, count in shared.items() if count)
    # Where every image is a group of its own, the audit counts the groups that file names tell.
    is_by_image = test["n_groups"] == test["n"]
    groups = ", each counted on its own" if is_by_image else f" from {test['n_groups']:,} groups"
    where = "groups that file names tell and other splits share" if is_by_image else "of these also in other splits"
    groups += f" ({where}: {known})" if known else ""
    above = value_of(test["auc"])
    are_counted = say_percent(above - test.get("tied_pairs", 0.0) / 2) != say_percent(above)
    ties = ", with equal probabilities counted half" if are_counted else ""
    return (
        f"On {test_name}{groups}, the network ranks a {positive} image above a {negative} one "
        f"{say_percent(above)} of the time{ties} (AUC {say_number(test['auc']['value'])}, "
        f"{say_bounds(test['auc'])}). At its threshold it misses {missed:,} of {test['n_positive']:,} {positive} "
        f"images and calls {alarms:,} of {n_negative:,} {negative} images {positive}."
    )


def list_findings(material: FindingsMaterial, negative: str, positive: str) -> list[Finding]:
    """List points for and against the result, each by a stated rule; the gravest first.

    Args:
        material: By name.
        negative: Name of the negative class.
        positive: Name of the positive class.

    Returns:
        Records of `level` (a `Level`), `title` and `text`.
    """
    metrics, shortcuts = material["metrics"], material["shortcut_audit"]
    first = [
        _judge_leaks(material["leak_audit"], material["data_flow"]),
        judge_precision(metrics["test"], "test images"),
    ]
    auc = metrics["test"]["auc"]
    if auc["low"] is None or auc["high"] is None:
        return gravest_first(first)
    if auc["low"] <= CHANCE:
        is_below = auc["high"] < CHANCE
        text = f"The interval of its AUC on test, {say_beside_chance(auc)}, "
        text += "lies below chance (0.5): are the classes swapped?" if is_below else "includes chance (0.5)."
        title = "Worse than chance" if is_below else "Not shown to be better than chance"
        guess = finding(Level.BAD, title, f"{text} No other figure here can make up for that.")
        return gravest_first([*first, guess])
    findings = [
        *first,
        _judge_gap(metrics),
        _judge_threshold(metrics["val"], material["decision"]),
        judge_shortcuts(shortcuts),
        judge_middle_third(shortcuts),
        judge_twins(material["twin_audit"]),
        _judge_regions(material["region_audit"]),
        judge_framing(material["framing_audit"], negative, positive),
        *judge_reframed(material["framing_audit"], negative, positive),
        judge_calibration(metrics["test"], "on test"),
        judge_confounding(material["patient_strata"]),
        judge_patients(material["patient_strata"], material["patient_differences"]),
        judge_stretches(material["stretch_audit"]),
        _judge_robustness(material["robustness"]),
        judge_pointing(material["pointing"]),
        judge_maps(material["map_similarity"]),
    ]
    return gravest_first([one for one in findings if one is not None])


def _judge_leaks(audit: pd.DataFrame, data_flow: pd.DataFrame) -> Finding:
    ours = shared_by_unit(audit)
    text = f"Shared by two splits, counted for each pair: {', '.join(say_shared(*one) for one in ours.items())}."
    groups = audit[(audit["unit"] == Unit.GROUP) & (audit["split_by"] != SplitBy.MANIFEST)]
    others = groups.groupby("split_by", sort=False)["on_both_sides"].sum()
    if len(others):
        listed = "; ".join(f"{count:,} ({SplitBy(way).label})" for way, count in others.items())
        text += f" Groups that other ways of splitting would share: {listed}."
    if ours.get(Unit.GROUP, 0) + ours.get(Unit.HASH, 0):
        return finding(Level.BAD, "The splits share groups or files", text)
    if sum(ours.values()):
        return finding(Level.CAUTION, "Near-duplicates are in two splits", text)
    alone = count_of(data_flow, FlowStep.UNGROUPED)
    if alone:
        text += f" No group could be read for {say_count(alone, 'image')}: whether their patients are in two splits is "
        text += "unknown."
        return finding(Level.CAUTION, "Patients may be in two splits", text)
    return finding(Level.GOOD, "No known group and no file is in two splits", text)


def judge_precision(measured: SplitMetrics, images: str) -> Finding:
    """Say whether the AUC of some images, called so in words, has a narrow interval."""
    low, high = measured["auc"]["low"], measured["auc"]["high"]
    if low is None or high is None:
        text = f"A class of the {images} has fewer than two groups: skill cannot be distinguished from chance."
        return finding(Level.BAD, "No interval", text)
    is_by_image = measured["n"] == measured["n_groups"]
    counted = f"{measured['n']:,} images" + ("" if is_by_image else f" of {measured['n_groups']:,} groups")
    text = f"The 95% interval of the AUC is {say_number(high - low)} wide ({counted})."
    if high - low > WIDE_INTERVAL:
        text += " An AUC within it, measured on other images, is not shown to differ."
        return finding(Level.CAUTION, f"Few {images}", text)
    return finding(Level.GOOD, f"Enough {images} for a narrow interval", text)


def _judge_gap(metrics: Metrics) -> Finding | None:
    val, test = metrics["val"]["auc"], metrics["test"]["auc"]
    if val["low"] is None or test["low"] is None:
        return None
    gap = difference(val, test)
    text = f"AUC {say_number(val['value'])} on validation, {say_number(test['value'])} on test; difference "
    text += f"{say_number(gap['value'])} ({say_bounds(gap)})."
    if say_difference(gap) == "better":
        text += " Expect a further loss on images of other places."
        return finding(Level.CAUTION, "Worse on test than on validation", text)
    if gap["high"] is None or gap["high"] > LARGE_GAP:
        title = f"A loss of more than {LARGE_GAP} from validation to test is not excluded"
        return finding(Level.CAUTION, title, text)
    return finding(Level.GOOD, f"Test is at most {LARGE_GAP} below validation", text)


def _judge_threshold(val: SplitMetrics, decision: Decision) -> Finding | None:
    youden = next(row for row in decision["rules"] if row["rule"] == "youden")
    best, own = (youden["sensitivity"] + youden["specificity"]) / 2, val["balanced_accuracy"]
    if own["high"] is None or best - own["value"] <= POOR_THRESHOLD or own["high"] >= best:
        return None
    text = f"On validation its balanced accuracy is {say_number(own['value'])} ({say_bounds(own)}); a threshold "
    text += f"of {say_threshold(youden['threshold'])} has {say_number(best)}."
    return finding(Level.CAUTION, "The threshold does not suit these scores", text)


def _judge_regions(audit: pd.DataFrame) -> Finding:
    by_view = audit.set_index("predictor")
    rim, centre = by_view.loc[Region.CENTRE_HIDDEN], by_view.loc[Region.BORDER_HIDDEN]
    behind = from_columns(rim, "behind_centre")
    text = f"AUC {say_estimate(rim, 'auc')} with the centre of the image hidden, {say_estimate(centre, 'auc')} with "
    text += f"all but the centre hidden; difference {say_estimate(behind, kind='paired')}. {OUT_OF_DISTRIBUTION}"
    if say_difference(behind) == "worse":
        return finding(Level.BAD, "The network relies more on the rim than on the centre", text)
    if say_difference(behind) != "better":
        return finding(Level.CAUTION, "Not shown to rely on the centre of the image", text)
    if rim["low"] > CHANCE and rim["auc"] > TELLING_REGION:
        return finding(Level.CAUTION, "The rim alone is informative", text)
    return finding(Level.GOOD, "The network relies more on the centre than on the rim", text)


def _judge_robustness(robustness: pd.DataFrame) -> Finding:
    if robustness.empty:
        return finding(Level.CAUTION, "Robustness not measured", "The parameter evaluation.robustness was off.")
    clean = robustness.loc[robustness["strength"] == 0].iloc[0]
    medium = robustness[robustness["strength"] == MEDIUM]
    loss, worst = judge_losses(medium)
    which = "The medium corruption that may cost most" if loss is Loss.OPEN else "Worst of the medium corruptions"
    text = (
        f"{which}: {worst['kind']}, AUC {say_estimate(worst, 'auc')} instead of {say_estimate(clean, 'auc')}, on "
        f"{clean['n']:,} images; loss {say_loss(loss, worst, len(medium))}."
    )
    if loss in (Loss.LARGE, Loss.SHOWN):
        return finding(Level.CAUTION, "Sensitive to image quality", text)
    if loss is Loss.SMALL:
        return finding(Level.GOOD, f"Loses at most {LARGE_LOSS} of AUC under medium corruption", text)
    title = f"A loss of more than {LARGE_LOSS} of AUC under medium corruption is not excluded"
    return finding(Level.CAUTION, title, text)
