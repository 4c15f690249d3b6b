"""What documents are made from: tables, records and figures (bytes of PNG), named as in the catalog."""

from typing import Any, TypedDict

import pandas as pd

from pneumonia.audits.maps import MapSimilarity, Pointing
from pneumonia.metrics.decisions import Decision
from pneumonia.metrics.summary import Metrics
from pneumonia.report.record import RunRecord


class FindingsMaterial(TypedDict):
    """What the points for and against a result rest on."""

    metrics: Metrics
    decision: Decision
    leak_audit: pd.DataFrame
    data_flow: pd.DataFrame
    shortcut_audit: pd.DataFrame
    region_audit: pd.DataFrame
    framing_audit: pd.DataFrame
    twin_audit: pd.DataFrame
    map_similarity: MapSimilarity
    robustness: pd.DataFrame
    pointing: Pointing
    patient_strata: pd.DataFrame
    patient_differences: pd.DataFrame
    stretch_audit: pd.DataFrame


class ReportTables(FindingsMaterial):
    """The tables and records of the report and the model card."""

    class_counts: pd.DataFrame
    class_weights: dict[str, float]
    split_table: pd.DataFrame
    rejected_images: pd.DataFrame
    duplicate_images: pd.DataFrame
    training_history: pd.DataFrame
    subgroups: pd.DataFrame
    etiology_confusion: pd.DataFrame
    strata: pd.DataFrame
    predictive_values: pd.DataFrame
    unit_metrics: dict[str, Any]
    shifted_probabilities: pd.DataFrame
    range_check: pd.DataFrame
    range_strata: pd.DataFrame
    gallery_maps: list[dict[str, Any]]
    run_record: RunRecord
    site_audit: pd.DataFrame
    site_probe_audit: pd.DataFrame
    patient_counts: pd.DataFrame
    split_strata: pd.DataFrame
    risk_coverage: pd.DataFrame
    class_sets: pd.DataFrame
    ordered_predictions: pd.DataFrame


class CardMaterial(ReportTables):
    """What the model card shows."""

    model_summary: str


class ReportMaterial(ReportTables):
    """What the report shows: the tables and records, and these figures."""

    class_balance_figure: bytes
    split_figure: bytes
    training_curves_figure: bytes
    metrics_figure: bytes
    roc_figure: bytes
    precision_recall_figure: bytes
    calibration_figure: bytes
    threshold_figure: bytes
    decision_curve_figure: bytes
    confusion_figure: bytes
    subgroup_figure: bytes
    score_figure: bytes
    shortcut_figure: bytes
    framing_figure: bytes
    robustness_figure: bytes
    site_figure: bytes
    abstention_figure: bytes
    order_figure: bytes
