"""The evaluation: scores, decision, metrics, audits, maps, range, report.

The nodes are the functions that do the work. Those that look at images get them from the store of the model's pixels.
"""

from kedro.pipeline import Pipeline

from pneumonia.audits.corruption import damage_images, measure_robustness
from pneumonia.audits.framing import measure_framings, reframe_images
from pneumonia.audits.maps import compare_maps, measure_pointing, read_lesions
from pneumonia.audits.patients import count_patients, measure_patients
from pneumonia.audits.range_check import check_range, measure_in_range
from pneumonia.audits.regions import compare_twins, hide_regions, measure_regions, score_twins
from pneumonia.audits.shortcuts import audit_shortcuts, describe_shortcuts
from pneumonia.audits.sites import audit_sites, probe_sites
from pneumonia.audits.stretches import find_stretches, order_predictions
from pneumonia.metrics import breakdowns, usefulness
from pneumonia.metrics.decisions import decide, make_decision
from pneumonia.metrics.summary import compute_metrics, tabulate_metrics
from pneumonia.model.scoring import check_model, score_images, score_train_sample
from pneumonia.pipelines import node, stage
from pneumonia.pipelines.evaluation import audit_figures, figures
from pneumonia.predictor.describing import fit_image_range
from pneumonia.report.documents import write_model_card, write_report
from pneumonia.report.gallery import choose_gallery, draw_gallery, draw_gallery_maps
from pneumonia.report.material import CardMaterial, ReportMaterial
from pneumonia.report.record import record_run

IMAGES = ("split_manifest", "pixel_store", "checked_lineage")
SETTINGS = "params:evaluation"


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "evaluation",
        # From images to scores.
        node(check_model, ["pneumonia_model", "model_lineage", "split_manifest", "pixel_store"], "checked_lineage"),
        node(score_images, ["pneumonia_model", *IMAGES, SETTINGS], "scores"),
        node(score_train_sample, ["pneumonia_model", *IMAGES, SETTINGS], "train_scores"),
        # From scores to decisions.
        node(make_decision, ["scores", "checked_lineage", SETTINGS], "decision"),
        node(decide, ["scores", "decision"], "predictions"),
        node(decide, ["train_scores", "decision"], "train_predictions", name="decide_train_sample"),
        # From decisions to metrics.
        node(compute_metrics, ["predictions", "decision", SETTINGS], "metrics"),
        node(tabulate_metrics, "metrics", "metrics_table"),
        node(breakdowns.measure_subgroups, "predictions", "subgroups"),
        node(breakdowns.count_etiologies, "predictions", "etiology_confusion"),
        node(
            breakdowns.measure_units,
            ["predictions", "split_manifest", "duplicate_images", "decision", SETTINGS],
            "unit_metrics",
        ),
        node(breakdowns.measure_splits, ["predictions", "train_predictions"], "split_strata"),
        node(breakdowns.measure_strata, ["predictions", "split_manifest"], "strata"),
        node(count_patients, "split_manifest", "patient_counts"),
        node(measure_patients, ["predictions", "split_manifest"], ["patient_strata", "patient_differences"]),
        node(figures.draw_metrics, "metrics", "metrics_figure"),
        node(figures.draw_roc, ["predictions", "metrics", SETTINGS], "roc_figure"),
        node(figures.draw_precision_recall, ["predictions", "metrics", SETTINGS], "precision_recall_figure"),
        node(figures.draw_calibration, ["predictions", "metrics"], "calibration_figure"),
        node(figures.draw_thresholds, ["predictions", "decision"], "threshold_figure"),
        node(figures.draw_confusion, "predictions", "confusion_figure"),
        node(figures.draw_subgroups, "subgroups", "subgroup_figure"),
        node(figures.draw_scores, ["predictions", "train_predictions"], "score_figure"),
        # What the decisions are worth where fewer images are positive.
        node(usefulness.tabulate_prevalences, "predictions", "predictive_values"),
        node(usefulness.tabulate_shifts, ["decision", SETTINGS], "shifted_probabilities"),
        node(usefulness.trace_decision_curve, ["predictions", "decision", SETTINGS], "decision_curve"),
        node(figures.draw_decision_curve, ["decision_curve", SETTINGS], "decision_curve_figure"),
        # What is gained by not deciding.
        node(usefulness.trace_risk, ["predictions", "decision"], "risk_coverage"),
        node(usefulness.measure_sets, "predictions", "class_sets"),
        node(figures.draw_abstention, ["risk_coverage", "class_sets"], "abstention_figure"),
        # What else could explain the result.
        node(describe_shortcuts, [*IMAGES], "shortcut_features"),
        node(score_twins, [*IMAGES, SETTINGS], ["rim_scores", "centre_scores"]),
        node(compare_twins, ["rim_scores", "centre_scores"], "twin_audit"),
        node(audit_shortcuts, ["shortcut_features", "rim_scores", "scores", SETTINGS], "shortcut_audit"),
        node(hide_regions, ["pneumonia_model", *IMAGES, SETTINGS], "hidden_scores"),
        node(measure_regions, ["hidden_scores", "scores"], "region_audit"),
        node(reframe_images, ["pneumonia_model", *IMAGES, SETTINGS], "framing_scores"),
        node(measure_framings, ["framing_scores", "decision"], "framing_audit"),
        node(damage_images, ["pneumonia_model", *IMAGES, SETTINGS], "damaged_scores"),
        node(measure_robustness, ["damaged_scores", "scores", "decision"], "robustness"),
        node(audit_figures.draw_shortcuts, ["shortcut_audit", "region_audit"], "shortcut_figure"),
        node(audit_figures.draw_framings, "framing_audit", "framing_figure"),
        node(audit_figures.draw_robustness, "robustness", "robustness_figure"),
        node(order_predictions, "predictions", "ordered_predictions"),
        node(find_stretches, ["ordered_predictions", SETTINGS], "stretch_audit"),
        node(audit_figures.draw_order, ["ordered_predictions", "stretch_audit"], "order_figure"),
        # Where images come from several sites.
        node(audit_sites, ["predictions", "split_manifest", "shortcut_features", "rim_scores", SETTINGS], "site_audit"),
        node(probe_sites, ["pneumonia_model", *IMAGES, "shortcut_features", SETTINGS], "site_probe_audit"),
        node(audit_figures.draw_sites, "site_audit", "site_figure"),
        # Where the network looks.
        node(choose_gallery, ["predictions", SETTINGS], "gallery"),
        node(draw_gallery_maps, ["pneumonia_model", *IMAGES, "gallery"], "gallery_maps"),
        node(draw_gallery, "gallery_maps", "gallery_figure"),
        node(read_lesions, ["chest_xrays", "split_manifest"], "lesions"),
        node(
            measure_pointing,
            ["pneumonia_model", "split_manifest", "pixel_store", "lesions", "checked_lineage"],
            "pointing",
        ),
        node(compare_maps, ["pneumonia_model", *IMAGES, SETTINGS], "map_similarity"),
        # Which images the model may judge.
        node(fit_image_range, ["pneumonia_model", *IMAGES, SETTINGS], "image_range"),
        node(check_range, ["pneumonia_model", "image_range", *IMAGES, SETTINGS], ["range_check", "test_distances"]),
        node(measure_in_range, ["predictions", "test_distances"], "range_strata"),
        # What a person reads.
        node(
            record_run,
            ["run_context", "parameters", "split_manifest", "checked_lineage", "scoring_ledger"],
            "run_record",
        ),
        node(write_report, {name: name for name in ReportMaterial.__annotations__}, "report", tags="report"),
        node(write_model_card, {name: name for name in CardMaterial.__annotations__}, "model_card", tags="report"),
    )
