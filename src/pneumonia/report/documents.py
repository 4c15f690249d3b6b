"""The report and the model card, filled from the tables and records of a run."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pneumonia.audits.framing import KIND_LABELS, SHOWN_LABELS
from pneumonia.audits.range_check import KIND_LABELS as RANGE_LABELS
from pneumonia.audits.regions import VIEW_LABELS
from pneumonia.audits.shortcuts import PREDICTOR_LABELS, SAMPLE_LABELS
from pneumonia.report.findings import (
    ATTRIBUTION,
    list_findings,
    list_limits,
    name_chosen,
    name_images,
    name_test,
    write_verdict,
)
from pneumonia.report.framing import judge_framing
from pneumonia.report.render import render
from pneumonia.split.leak_audit import SPLIT_LABELS
from pneumonia.split.summary import FLOW_LABELS


def write_report(**material: Any) -> str:
    """Write the report: one HTML page that needs nothing beside itself.

    Args:
        **material: The tables, records and figures (bytes of PNG), named as in the catalog.

    Returns:
        The page.
    """
    return render("report.html", **material, **_in_words(material))


def write_model_card(**material: Any) -> str:
    """Write the model card: Markdown with the front matter that Hugging Face reads.

    Args:
        **material: The tables and records, named as in the catalog.

    Returns:
        The card. What only a person can write is marked as a blank.
    """
    return render("model_card.md", **material, **_in_words(material))


def _in_words(material: dict[str, Any]) -> dict[str, Any]:
    """Return what both documents say in words."""
    record, metrics = material["run_record"], material["metrics"]
    negative, positive = record["data"]["classes"]
    test_name = name_test(record, material["class_counts"])
    audits = (
        material[name]
        for name in ("decision", "leak_audit", "shortcut_audit", "region_audit", "robustness", "pointing")
    )
    return {
        "negative": negative,
        "positive": positive,
        "image_kind": name_images(record),
        "test_name": test_name,
        "members": record["model"]["training"].get("members", 1),
        "chosen": name_chosen(record),
        "verdict": write_verdict(metrics, positive, negative, test_name),
        "findings": [*list_findings(metrics, *audits), judge_framing(material["framing_audit"], negative, positive)],
        "limits": list_limits(record, metrics, material["data_flow"]),
        "attribution": ATTRIBUTION,
        "flow": dict(material["data_flow"][["step", "images"]].itertuples(index=False, name=None)),
        "flow_table": _labelled(material["data_flow"], {"step": FLOW_LABELS}),
        "shortcut_table": _labelled(
            material["shortcut_audit"], {"predictor": PREDICTOR_LABELS, "images": SAMPLE_LABELS}
        ),
        "framing_table": _labelled(
            material["framing_audit"], {"kind": KIND_LABELS, "negatives": SHOWN_LABELS, "positives": SHOWN_LABELS}
        ),
        "region_table": _labelled(material["region_audit"], {"predictor": VIEW_LABELS}),
        "SPLIT_LABELS": SPLIT_LABELS,
        "RANGE_LABELS": RANGE_LABELS,
    }


def _labelled(table: pd.DataFrame, labels: Mapping[str, Mapping[Any, str]]) -> pd.DataFrame:
    """Put the labels of columns in place of their keys."""
    return table.assign(**{column: table[column].map(names) for column, names in labels.items()})
