"""The page on another place: verdict, what speaks against the result, metrics beside those of our own test."""

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from pneumonia.audits.shortcuts import PREDICTOR_LABELS
from pneumonia.report.findings import judge_calibration
from pneumonia.report.render import render, say_number, say_percent

CHANCE = 0.5  # AUC
LARGE_FALL = 0.05  # of AUC, against our own test
MANY_OUTSIDE = 0.05  # share of images out of range
Level = Literal["good", "caution", "bad"]
NETWORK = "network"


def list_external_findings(
    external_metrics: Mapping[str, Any], test: Mapping[str, Any], shortcuts: pd.DataFrame, positive: str
) -> list[dict[str, str]]:
    """Say what speaks for the result there and against it, each by a stated rule.

    Args:
        external_metrics: As `audits.external.measure_external` makes it.
        test: The metrics of our own test.
        shortcuts: AUC of the network and of properties alone.
        positive: Name of the positive class.

    Returns:
        Records of `level` ("good", "caution" or "bad"), `title` and `text`.
    """
    there = external_metrics["external"]
    findings = [_judge_auc(there["auc"], positive), _judge_fall(there["auc"], test["auc"])]
    outside = external_metrics["out_of_range"]
    text = f"{say_percent(outside)} of the images are out of range (1% of validation)."
    if outside > MANY_OUTSIDE:
        findings.append(_finding("caution", "Many images are unlike the training images", text))
    else:
        findings.append(_finding("good", "The images look like the training images", text))
    findings.append(judge_calibration(there, "there"))
    others = shortcuts[shortcuts["predictor"] != NETWORK].sort_values("auc")
    if len(others):
        best, network = others.iloc[-1], there["auc"]["value"]
        label = PREDICTOR_LABELS[best["predictor"]].lower()
        text = (
            f"Without looking at the lungs, “{label}” reaches AUC {best['auc']:.3f} there; the network {network:.3f}."
        )
        if best["auc"] >= network:
            findings.append(_finding("bad", "A shortcut does as well", text))
    return findings


def _judge_auc(auc: Mapping[str, Any], positive: str) -> dict[str, str]:
    if auc["low"] is None:
        return _finding("bad", "No interval", "One class has too few groups: chance cannot be told from skill.")
    interval = f"AUC {say_number(auc['value'])}, 95% interval {say_number(auc['low'])} to {say_number(auc['high'])}"
    if auc["high"] < CHANCE:
        return _finding(
            "bad",
            "Worse than chance: are the labels swapped?",
            f"{interval}: the network ranks {positive} images below the others. Check ingest.positive_class and the "
            "class folders; if they are right, the model must not be used there.",
        )
    if auc["low"] <= CHANCE:
        return _finding(
            "bad", "Not better than chance", f"{interval}, which includes 0.5: nothing shows any skill there."
        )
    return _finding("good", "Better than chance", f"{interval}.")


def _judge_fall(there: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, str]:
    fall = ours["value"] - there["value"]
    text = f"AUC {say_number(ours['value'])} on our own test, {say_number(there['value'])} there."
    if fall > LARGE_FALL:
        return _finding("bad", "A hard fall", f"{text} The figures of our own test do not carry over.")
    return _finding("good", "No hard fall", text)


def _finding(level: Level, title: str, text: str) -> dict[str, str]:
    return {"level": level, "title": title, "text": text}


def write_external_report(**material: Any) -> str:
    """Write the page: one HTML file that needs nothing beside itself.

    Args:
        **material: The tables, records and figures, named as in the catalog.
    """
    there, test = material["external_metrics"]["external"], material["metrics"]["test"]
    negative, positive = material["model_lineage"]["class_names"]
    shortcuts = material["external_shortcuts"]
    return render(
        "external.html",
        **material,
        there=there,
        test=test,
        positive=positive,
        negative=negative,
        findings=list_external_findings(material["external_metrics"], test, shortcuts, positive),
        statuses=material["external_index"]["status"].value_counts().to_dict(),
        unused=material["external_index"].query("status != 'ok'"),
        shortcut_table=shortcuts.assign(predictor=shortcuts["predictor"].map(PREDICTOR_LABELS)),
    )
