"""The adaptation pipeline: plan, adapt, judge, report. The images are listed by nodes of the external pipeline."""

from kedro.pipeline import Node, Pipeline

from pneumonia.adaptation.fits import adapt
from pneumonia.adaptation.lineage import make_adapted_lineage
from pneumonia.adaptation.measure import measure_adaptation, score_own
from pneumonia.adaptation.plan import plan_adaptation, store_new_pixels


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
                func=measure_adaptation,
                inputs=[
                    "adaptation_scores",
                    "parent_scores",
                    "predictions",
                    "parent_decision",
                    "decision",
                    "params:evaluation",
                ],
                outputs="adaptation_metrics",
                name="measure_adaptation",
            ),
            describe_model,
            Pipeline(judge_model, inputs={"checked_lineage": "model_lineage", **stored}),
        ],
        namespace="adaptation",
        prefix_datasets_with_namespace=False,
        tags="adaptation",
    )
