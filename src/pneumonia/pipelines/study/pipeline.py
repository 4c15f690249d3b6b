"""The study pipeline: train and evaluate, summarise, draw, report."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.study.figures import draw_study
from pneumonia.pipelines.study.nodes import run_study, summarise_study, write_study_report

REPORTED = ("study_results", "study_summary", "study_figure", "run_context")


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=run_study,
                inputs=["split_manifest", "chest_xrays", "index_cache", "pixel_store", "study_records", "parameters"],
                outputs="study_results",
                name="run_study",
            ),
            Node(func=summarise_study, inputs="study_results", outputs="study_summary", name="summarise_study"),
            Node(func=draw_study, inputs="study_results", outputs="study_figure", name="draw_study"),
            Node(
                func=write_study_report,
                inputs={"parameters": "params:study", **{name: name for name in REPORTED}},
                outputs="study_report",
                name="write_study_report",
            ),
        ],
        namespace="study",
        prefix_datasets_with_namespace=False,
        tags="study",
    )
