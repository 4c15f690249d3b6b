"""The adaptation pipeline: plan, adapt, judge, report. The images are listed by nodes of the external pipeline."""

from kedro.pipeline import Node, Pipeline

from pneumonia.adaptation.fits import adapt
from pneumonia.adaptation.lineage import make_adapted_lineage
from pneumonia.adaptation.measure import decide_new, fit_place_point, measure_adaptation, plan_next, score_own
from pneumonia.adaptation.plan import plan_adaptation, store_new_pixels
from pneumonia.audits.external import audit_external
from pneumonia.pipelines.adaptation.figures import draw_change, draw_curve
from pneumonia.report.adaptation import write_adaptation_report

REPORTED = (
    "external_index",
    "adaptation_plan",
    "adaptation_metrics",
    "adaptation_curve",
    "adaptation_shortcuts",
    "adaptation_planning",
    "adaptation_curve_figure",
    "adaptation_change_figure",
    "adaptation_point",
    "model_lineage",
    "run_context",
)


def create_pipeline(list_images: Pipeline, describe_model: Pipeline, judge_model: Pipeline) -> Pipeline:
    """Return the pipeline.

    Args:
        list_images: The nodes that list labelled images of another place.
        describe_model: Those that describe a trained model.
        judge_model: Those that make of its scores what other pipelines need of a model.
    """
    stored = {"pixel_store": "adaptation_pixels"}
    return Pipeline(
        [
            Pipeline(list_images, inputs={"model_lineage": "parent_lineage", **stored}),
            Node(
                func=store_new_pixels,
                inputs=["external_images", "external_files", "parent_lineage"],
                outputs="adaptation_pixels",
                name="store_new_pixels",
            ),
            Node(
                func=plan_adaptation,
                inputs=[
                    "split_manifest",
                    "parent_lineage",
                    "external_index",
                    "external_images",
                    "adaptation_pixels",
                    "parameters",
                ],
                outputs="adaptation_plan",
                name="plan_adaptation",
            ),
            Node(
                func=adapt,
                inputs=[
                    "parent_model",
                    "parent_lineage",
                    "adaptation_plan",
                    "adaptation_pixels",
                    "training_state",
                    "parameters",
                ],
                outputs=[
                    "pneumonia_model",
                    "adaptation_facts",
                    "training_history",
                    "adaptation_scores",
                    "adaptation_curve",
                ],
                name="adapt",
            ),
            Node(
                func=make_adapted_lineage,
                inputs=[
                    "parent_lineage",
                    "pneumonia_model",
                    "adaptation_plan",
                    "adaptation_facts",
                    "run_context",
                    "params:adaptation",
                ],
                outputs="model_lineage",
                name="make_adapted_lineage",
            ),
            Node(
                func=score_own,
                inputs=[
                    "pneumonia_model",
                    "split_manifest",
                    "adaptation_pixels",
                    "model_lineage",
                    "adaptation_scores",
                    "params:evaluation",
                ],
                outputs="scores",
                name="score_own",
            ),
            Node(
                func=score_own,
                inputs=[
                    "parent_model",
                    "split_manifest",
                    "adaptation_pixels",
                    "parent_lineage",
                    "adaptation_scores",
                    "params:evaluation",
                ],
                outputs="parent_scores",
                name="score_own_before",
            ),
            Node(
                func=decide_new,
                inputs=["adaptation_scores", "params:evaluation"],
                outputs="adaptation_predictions",
                name="decide_new",
            ),
            Node(
                func=measure_adaptation,
                inputs=[
                    "adaptation_scores",
                    "adaptation_predictions",
                    "parent_scores",
                    "predictions",
                    "parent_decision",
                    "params:evaluation",
                ],
                outputs="adaptation_metrics",
                name="measure_adaptation",
            ),
            Node(
                func=fit_place_point,
                inputs=["adaptation_scores", "model_lineage", "params:evaluation"],
                outputs=["adaptation_point", "operating_point"],
                name="fit_place_point",
            ),
            Node(
                func=plan_next,
                inputs="adaptation_predictions",
                outputs="adaptation_planning",
                name="plan_next",
            ),
            Node(
                func=audit_external,
                inputs=[
                    "adaptation_predictions",
                    "external_index",
                    "external_images",
                    "model_lineage",
                    "params:evaluation",
                ],
                outputs="adaptation_shortcuts",
                name="audit_shortcuts",
            ),
            Node(
                func=draw_curve,
                inputs=["adaptation_curve", "adaptation_metrics"],
                outputs="adaptation_curve_figure",
                name="draw_curve",
            ),
            Node(
                func=draw_change,
                inputs="adaptation_metrics",
                outputs="adaptation_change_figure",
                name="draw_change",
            ),
            Node(
                func=write_adaptation_report,
                inputs={"parameters": "params:adaptation", **{name: name for name in REPORTED}},
                outputs="adaptation_report",
                name="write_adaptation_report",
            ),
            describe_model,
            Pipeline(judge_model, inputs={"checked_lineage": "model_lineage", **stored}),
        ],
        namespace="adaptation",
        prefix_datasets_with_namespace=False,
        tags="adaptation",
    )
