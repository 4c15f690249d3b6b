"""The report and the model card, filled from the tables and records of a run."""

from typing import Any, Unpack

import pandas as pd

from pneumonia.audits.framing import Change, Shown
from pneumonia.audits.patients import LEAST_COMPARED
from pneumonia.audits.range_check import KIND_LABELS as RANGE_LABELS
from pneumonia.audits.regions import LEAST_IMAGES, Region
from pneumonia.audits.shortcuts import FOLDS, Basis, Sample, best_shortcut
from pneumonia.audits.sites import LEAST_SITES, ProbedFrom
from pneumonia.base.text import Labelled
from pneumonia.images.layout import UNSPLIT
from pneumonia.images.sites import cells_of
from pneumonia.metrics.breakdowns import Family
from pneumonia.model.networks import MODEL_SUFFIX
from pneumonia.predictor.image_range import OUTSIDE
from pneumonia.report import provenance
from pneumonia.report.findings import list_findings, write_verdict
from pneumonia.report.gallery import OUTCOME_TITLES
from pneumonia.report.judgements import say_multiplicity, say_stretch, tabulate_differences
from pneumonia.report.limits import list_limits, say_fairness, say_optimism
from pneumonia.report.material import CardMaterial, ReportMaterial, ReportTables
from pneumonia.report.render import render
from pneumonia.split.folds import LEAST_GROUPS
from pneumonia.split.leak_audit import SplitBy, Unit
from pneumonia.split.summary import ALL, FlowStep

NO_SPLIT = "no folder named train, val or test"
COUNTED = "count groups, not images"
COUNTED_ALONE = "count each image as a group of its own"
INTERVALS = (
    "95% intervals {counted} (clustered data: Obuchowski, Biometrics 53, 1997). AUC: the wider of "
    "Obuchowski's and Newcombe's method 5 (Stat. Med. 25, 2006); rates and Brier score: Clopper and Pearson's for an "
    "effective number of images (Korn and Graubard, Survey Methodology 24, 1998); metrics that follow from sensitivity "
    "and specificity: from their intervals (MOVER); calibration slope and shift: from the profile of the penalised "
    "likelihood; average precision and ECE: {resamples:,} bootstrap resamples of whole groups (Field and Welsh, J. R. "
    "Stat. Soc. B 69, 2007)."
)


def write_report(**material: Unpack[ReportMaterial]) -> str:
    """Write the report: one self-contained HTML page.

    Args:
        **material: The tables, records and figures (bytes of PNG), named as in the catalog.

    Returns:
        The page.
    """
    return render("report.html", **material, **_in_words(material), **_for_tables(material))


def write_model_card(**material: Unpack[CardMaterial]) -> str:
    """Write the model card: Markdown with the front matter that Hugging Face reads.

    Args:
        **material: The tables and records, named as in the catalog.

    Returns:
        The card. What only a person can write is marked as a blank.
    """
    return render("model_card.md", **material, **_in_words(material), **_for_tables(material))


def _in_words(material: ReportTables) -> dict[str, Any]:
    """Return what both documents say in words."""
    record, metrics, leaks = material["run_record"], material["metrics"], material["leak_audit"]
    negative, positive = record["data"]["classes"]
    is_by_image = provenance.ingest_of(record)["group_by"] == "image"
    test_name = provenance.name_test(record, material["class_counts"])
    return {
        "negative": negative,
        "positive": positive,
        "source": provenance.source_of(record),
        "population": provenance.say_population(record),
        "grouping": provenance.say_grouping(record, material["data_flow"]),
        "leaks": provenance.say_leaks(leaks),
        "ingest": provenance.ingest_of(record),
        "is_etiology_known": provenance.is_etiology_known(record),
        "test_name": test_name,
        "adapted": provenance.say_adaptation(record),
        "MODEL_SUFFIX": MODEL_SUFFIX,
        "adaptation": record["model"].get("adaptation"),
        "members": record["model"]["training"].get("members", 1),
        "is_epoch_chosen": provenance.is_epoch_chosen(record["model"]["training"]),
        "optimism": say_optimism(record),
        "verdict": write_verdict(metrics, leaks, positive, negative, test_name),
        "findings": list_findings(material, negative, positive),
        "limits": list_limits(material),
        "fairness": say_fairness(material["patient_strata"], material["patient_differences"]),
        "say_multiplicity": say_multiplicity,
        "say_stretch": say_stretch,
        "attribution": provenance.ATTRIBUTION,
        "is_by_image": is_by_image,
        "units": "images" if is_by_image else "groups",
        "intervals": INTERVALS.format(
            counted=COUNTED_ALONE if is_by_image else COUNTED,
            resamples=record["parameters"]["evaluation"]["resamples"],
        ),
    }


def _for_tables(material: ReportTables) -> dict[str, Any]:
    """Return tables with labels in place of keys, and the labels of what templates lay out themselves."""
    shortcuts = material["shortcut_audit"]
    whole = material["split_table"][lambda table: (table["label"] == ALL) & (table["etiology"] == ALL)]
    return {
        "cell_counts": material["class_counts"].assign(label=cells_of(material["class_counts"])),
        "split_groups": dict(zip(whole["split"], whole["groups"], strict=True)),
        "flow": {step.value: provenance.count_of(material["data_flow"], step) for step in FlowStep},
        "flow_table": _labelled(material["data_flow"].replace({"part": {UNSPLIT: NO_SPLIT}}), step=FlowStep),
        "shortcut_table": _labelled(shortcuts, predictor=Basis, images=Sample),
        "best_shortcut": best_shortcut(shortcuts).label,
        "has_rim_network": (shortcuts["predictor"] == Basis.RIM_NETWORK).any(),
        "is_cross_validated": (shortcuts["images"] == Sample.CROSS_VALIDATED).any(),
        "region_table": _labelled(material["region_audit"], predictor=Region),
        "framing_table": _labelled(material["framing_audit"], kind=Change, negatives=Shown, positives=Shown),
        "site_table": _labelled(material["site_audit"], predictor=Basis),
        "site_probe_table": _labelled(material["site_probe_audit"], seen=ProbedFrom).rename(
            columns={"seen": "told from", "n_positive": "of the site"}
        ),
        "difference_table": tabulate_differences(material["patient_differences"]),
        "LEAST_SITES": LEAST_SITES,
        "LEAST_COMPARED": LEAST_COMPARED,
        "LEAST_IMAGES": LEAST_IMAGES,
        "LEAST_GROUPS": LEAST_GROUPS,
        "GUARANTEED": round(1 / OUTSIDE) - 1,  # groups of validation that conformal prediction needs
        "FOLDS": FOLDS,
        "SplitBy": SplitBy,
        "RANGE_LABELS": RANGE_LABELS,
        "Unit": Unit,
        "Family": Family,
        "OUTCOME_TITLES": OUTCOME_TITLES,
    }


def _labelled(table: pd.DataFrame, **keys: type[Labelled]) -> pd.DataFrame:
    """Put labels in place of the keys in some columns, of the kind that is named for each."""
    return table.assign(**{column: [kind(key).label for key in table[column]] for column, kind in keys.items()})
