"""The adaptation: list the images, plan, adapt, judge, report."""

from kedro.pipeline import Pipeline

from pneumonia.adaptation.fits import adapt
from pneumonia.adaptation.measure import decide_new, fit_place_point, measure_adaptation, score_own
from pneumonia.adaptation.plan import check_adapted, make_adapted_lineage, plan_adaptation, store_new_pixels
from pneumonia.audits.external import audit_external, index_external
from pneumonia.audits.known_images import list_known, refuse_known
from pneumonia.metrics.decisions import decide, make_decision
from pneumonia.metrics.intervals import plan_test
from pneumonia.metrics.summary import compute_metrics
from pneumonia.pipelines import node, stage
from pneumonia.pipelines.adaptation.figures import draw_change, draw_curve
from pneumonia.predictor.describing import fit_image_range
from pneumonia.report.adaptation import AdaptationMaterial, write_adaptation_report
from pneumonia.report.record import record_run

SETTINGS = "params:evaluation"


def create_pipeline(describe_model: Pipeline) -> Pipeline:
    """Return the pipeline.

    Args:
        describe_model: The nodes that describe a trained model and its training.
    """
    return stage(
        "adaptation",
        # Labelled images of the new place, without those that the model knows.
        node(
            index_external,
            ["external_images", "index_cache", "params:ingest", "params:labels", "params:external"],
            "adaptation_files",
            "index_images",
        ),
        node(list_known, ["split_manifest", "image_index", "parent_lineage"], "adaptation_known"),
        node(store_new_pixels, ["external_images", "adaptation_files", "parent_lineage"], "adaptation_pixels"),
        node(
            refuse_known,
            [
                *("adaptation_files", "external_images", "adaptation_known", "adaptation_pixels", "parent_lineage"),
                "params:ingest",
            ],
            "adaptation_index",
        ),
        node(
            plan_adaptation,
            [
                *("split_manifest", "parent_lineage", "adaptation_index", "external_images", "adaptation_pixels"),
                "parameters",
            ],
            "adaptation_plan",
        ),
        # From the parent to the adapted model.
        node(
            adapt,
            ["parent_model", "parent_lineage", "adaptation_plan", "adaptation_pixels", "training_state", "parameters"],
            ["pneumonia_model", "adaptation_facts", "training_history", "adaptation_scores", "adaptation_curve"],
        ),
        node(
            make_adapted_lineage,
            [
                *("parent_lineage", "pneumonia_model", "adaptation_plan", "adaptation_facts", "run_context"),
                "params:adaptation",
            ],
            "model_lineage",
        ),
        describe_model,
        # What other pipelines need of a model, as the evaluation makes it.
        node(check_adapted, ["pneumonia_model", "model_lineage"], "checked_lineage"),
        node(
            score_own,
            [
                *("pneumonia_model", "split_manifest", "adaptation_pixels", "checked_lineage", "adaptation_scores"),
                SETTINGS,
            ],
            "scores",
        ),
        node(make_decision, ["scores", "checked_lineage", SETTINGS], "decision"),
        node(decide, ["scores", "decision"], "predictions"),
        node(compute_metrics, ["predictions", "decision", SETTINGS], "metrics"),
        node(
            fit_image_range,
            ["pneumonia_model", "split_manifest", "adaptation_pixels", "checked_lineage", SETTINGS],
            "image_range",
        ),
        node(
            record_run,
            ["run_context", "parameters", "split_manifest", "checked_lineage", "scoring_ledger"],
            "run_record",
        ),
        # Before and after.
        node(
            score_own,
            ["parent_model", "split_manifest", "adaptation_pixels", "parent_lineage", "adaptation_scores", SETTINGS],
            "parent_scores",
            "score_own_before",
        ),
        node(decide_new, ["adaptation_scores", SETTINGS], "adaptation_predictions"),
        node(
            measure_adaptation,
            [
                *("adaptation_scores", "adaptation_predictions", "parent_scores", "predictions", "parent_decision"),
                SETTINGS,
            ],
            "adaptation_metrics",
        ),
        node(
            audit_external,
            ["adaptation_predictions", "adaptation_index", "external_images", "model_lineage", SETTINGS],
            "adaptation_shortcuts",
            "audit_shortcuts",
        ),
        # What to do with it.
        node(
            fit_place_point, ["adaptation_scores", "model_lineage", SETTINGS], ["adaptation_point", "operating_point"]
        ),
        node(plan_test, "adaptation_predictions", "adaptation_planning"),
        node(draw_curve, "adaptation_curve", "adaptation_curve_figure"),
        node(draw_change, "adaptation_metrics", "adaptation_change_figure"),
        node(
            write_adaptation_report,
            {
                **{name: name for name in AdaptationMaterial.__annotations__},
                "parameters": "params:adaptation",
                "report": "params:report",
                "external_index": "adaptation_index",
            },
            "adaptation_report",
        ),
    )
