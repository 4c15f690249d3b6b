"""The evaluation: scores, decision, metrics, audits, maps, range, report.

The nodes are the functions that do the work. Those that look at images get them from the store of the model's pixels.
"""

from kedro.pipeline import Node, Pipeline

from pneumonia.audits.framing import measure_framings, reframe_images
from pneumonia.audits.map_check import compare_maps
from pneumonia.audits.patients import count_patients, measure_patients
from pneumonia.audits.pointing import measure_pointing, read_lesions
from pneumonia.audits.range_check import check_range, measure_in_range
from pneumonia.audits.regions import hide_regions, measure_regions
from pneumonia.audits.rim_network import compare_twins, score_twins
from pneumonia.audits.robustness import damage_images, measure_robustness
from pneumonia.audits.shortcut_audit import audit_shortcuts
from pneumonia.audits.shortcuts import describe_shortcuts
from pneumonia.audits.sites import audit_sites, probe_sites
from pneumonia.audits.stretches import find_stretches, order_predictions
from pneumonia.metrics.abstention import measure_sets, trace_risk
from pneumonia.metrics.breakdowns import (
    count_etiologies,
    measure_splits,
    measure_strata,
    measure_subgroups,
    measure_units,
)
from pneumonia.metrics.decisions import decide, make_decision
from pneumonia.metrics.summary import compute_metrics, tabulate_metrics
from pneumonia.metrics.usefulness import tabulate_prevalences, tabulate_shifts, trace_decision_curve
from pneumonia.model.scoring import check_model, score_images, score_train_sample
from pneumonia.pipelines.evaluation.audit_figures import (
    draw_framings,
    draw_order,
    draw_robustness,
    draw_shortcuts,
    draw_sites,
)
from pneumonia.pipelines.evaluation.figures import (
    draw_abstention,
    draw_calibration,
    draw_confusion,
    draw_decision_curve,
    draw_metrics,
    draw_precision_recall,
    draw_roc,
    draw_scores,
    draw_subgroups,
    draw_thresholds,
)
from pneumonia.predictor.describing import fit_image_range
from pneumonia.report.documents import write_model_card, write_report
from pneumonia.report.gallery import choose_gallery, draw_gallery, draw_gallery_maps
from pneumonia.report.material import CardMaterial, ReportMaterial
from pneumonia.report.record import record_run

IMAGES = ("split_manifest", "pixel_store", "checked_lineage")
SETTINGS = "params:evaluation"


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            # From images to scores.
            Node(
                check_model,
                ["pneumonia_model", "model_lineage", "split_manifest", "pixel_store"],
                "checked_lineage",
                name="check_model",
            ),
            Node(score_images, ["pneumonia_model", *IMAGES, SETTINGS], "scores", name="score_images"),
            Node(score_train_sample, ["pneumonia_model", *IMAGES, SETTINGS], "train_scores", name="score_train_sample"),
            # From scores to decisions.
            Node(make_decision, ["scores", "checked_lineage", SETTINGS], "decision", name="make_decision"),
            Node(decide, ["scores", "decision"], "predictions", name="decide"),
            Node(decide, ["train_scores", "decision"], "train_predictions", name="decide_train_sample"),
            # From decisions to metrics.
            Node(compute_metrics, ["predictions", "decision", SETTINGS], "metrics", name="compute_metrics"),
            Node(tabulate_metrics, "metrics", "metrics_table", name="tabulate_metrics"),
            Node(measure_subgroups, "predictions", "subgroups", name="measure_subgroups"),
            Node(count_etiologies, "predictions", "etiology_confusion", name="count_etiologies"),
            Node(
                measure_units,
                ["predictions", "split_manifest", "duplicate_images", "decision", SETTINGS],
                "unit_metrics",
                name="measure_units",
            ),
            Node(measure_splits, ["predictions", "train_predictions"], "split_strata", name="measure_splits"),
            Node(measure_strata, ["predictions", "split_manifest"], "strata", name="measure_strata"),
            Node(count_patients, "split_manifest", "patient_counts", name="count_patients"),
            Node(
                measure_patients,
                ["predictions", "split_manifest"],
                ["patient_strata", "patient_differences"],
                name="measure_patients",
            ),
            Node(draw_metrics, "metrics", "metrics_figure", name="draw_metrics"),
            Node(draw_roc, ["predictions", "metrics", SETTINGS], "roc_figure", name="draw_roc"),
            Node(
                draw_precision_recall,
                ["predictions", "metrics", SETTINGS],
                "precision_recall_figure",
                name="draw_precision_recall",
            ),
            Node(draw_calibration, ["predictions", "metrics"], "calibration_figure", name="draw_calibration"),
            Node(draw_thresholds, ["predictions", "decision"], "threshold_figure", name="draw_thresholds"),
            Node(draw_confusion, "predictions", "confusion_figure", name="draw_confusion"),
            Node(draw_subgroups, "subgroups", "subgroup_figure", name="draw_subgroups"),
            Node(draw_scores, ["predictions", "train_predictions"], "score_figure", name="draw_scores"),
            # What the decisions are worth where fewer images are positive.
            Node(tabulate_prevalences, "predictions", "predictive_values", name="tabulate_prevalences"),
            Node(tabulate_shifts, ["decision", SETTINGS], "shifted_probabilities", name="tabulate_shifts"),
            Node(
                trace_decision_curve,
                ["predictions", "decision", SETTINGS],
                "decision_curve",
                name="trace_decision_curve",
            ),
            Node(
                draw_decision_curve, ["decision_curve", SETTINGS], "decision_curve_figure", name="draw_decision_curve"
            ),
            # What is gained by not deciding.
            Node(trace_risk, ["predictions", "decision"], "risk_coverage", name="trace_risk"),
            Node(measure_sets, "predictions", "class_sets", name="measure_sets"),
            Node(draw_abstention, ["risk_coverage", "class_sets"], "abstention_figure", name="draw_abstention"),
            # What else could explain the result.
            Node(describe_shortcuts, [*IMAGES], "shortcut_features", name="describe_shortcuts"),
            Node(score_twins, [*IMAGES, SETTINGS], ["rim_scores", "centre_scores"], name="score_twins"),
            Node(compare_twins, ["rim_scores", "centre_scores"], "twin_audit", name="compare_twins"),
            Node(
                audit_shortcuts,
                ["shortcut_features", "rim_scores", "scores", SETTINGS],
                "shortcut_audit",
                name="audit_shortcuts",
            ),
            Node(hide_regions, ["pneumonia_model", *IMAGES, SETTINGS], "hidden_scores", name="hide_regions"),
            Node(measure_regions, ["hidden_scores", "scores"], "region_audit", name="measure_regions"),
            Node(reframe_images, ["pneumonia_model", *IMAGES, SETTINGS], "framing_scores", name="reframe_images"),
            Node(measure_framings, ["framing_scores", "decision"], "framing_audit", name="measure_framings"),
            Node(damage_images, ["pneumonia_model", *IMAGES, SETTINGS], "damaged_scores", name="damage_images"),
            Node(measure_robustness, ["damaged_scores", "scores", "decision"], "robustness", name="measure_robustness"),
            Node(draw_shortcuts, ["shortcut_audit", "region_audit"], "shortcut_figure", name="draw_shortcuts"),
            Node(draw_framings, "framing_audit", "framing_figure", name="draw_framings"),
            Node(draw_robustness, "robustness", "robustness_figure", name="draw_robustness"),
            Node(order_predictions, "predictions", "ordered_predictions", name="order_predictions"),
            Node(find_stretches, ["ordered_predictions", SETTINGS], "stretch_audit", name="find_stretches"),
            Node(draw_order, ["ordered_predictions", "stretch_audit"], "order_figure", name="draw_order"),
            # Where images come from several sites.
            Node(
                audit_sites,
                ["predictions", "split_manifest", "shortcut_features", "rim_scores", SETTINGS],
                "site_audit",
                name="audit_sites",
            ),
            Node(
                probe_sites,
                ["pneumonia_model", *IMAGES, "shortcut_features", SETTINGS],
                "site_probe_audit",
                name="probe_sites",
            ),
            Node(draw_sites, "site_audit", "site_figure", name="draw_sites"),
            # Where the network looks.
            Node(choose_gallery, ["predictions", SETTINGS], "gallery", name="choose_gallery"),
            Node(draw_gallery_maps, ["pneumonia_model", *IMAGES, "gallery"], "gallery_maps", name="draw_gallery_maps"),
            Node(draw_gallery, "gallery_maps", "gallery_figure", name="draw_gallery"),
            Node(read_lesions, ["chest_xrays", "split_manifest"], "lesions", name="read_lesions"),
            Node(
                measure_pointing,
                ["pneumonia_model", "split_manifest", "pixel_store", "lesions", "checked_lineage", SETTINGS],
                "pointing",
                name="measure_pointing",
            ),
            Node(compare_maps, ["pneumonia_model", *IMAGES, SETTINGS], "map_similarity", name="compare_maps"),
            # Which images the model may judge.
            Node(fit_image_range, ["pneumonia_model", *IMAGES, SETTINGS], "image_range", name="fit_image_range"),
            Node(
                check_range,
                ["pneumonia_model", "image_range", *IMAGES, SETTINGS],
                ["range_check", "test_distances"],
                name="check_range",
            ),
            Node(measure_in_range, ["predictions", "test_distances"], "range_strata", name="measure_in_range"),
            # What a person reads.
            Node(
                record_run,
                ["run_context", "parameters", "split_manifest", "checked_lineage", "scoring_ledger"],
                "run_record",
                name="record_run",
            ),
            Node(
                write_report,
                {name: name for name in ReportMaterial.__annotations__},
                "report",
                name="write_report",
                tags="report",
            ),
            Node(
                write_model_card,
                {name: name for name in CardMaterial.__annotations__},
                "model_card",
                name="write_model_card",
                tags="report",
            ),
        ],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
        tags="evaluation",
    )
