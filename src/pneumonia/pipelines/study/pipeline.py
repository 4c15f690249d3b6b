"""The study pipeline: plan, train and evaluate, summarise, draw, report."""

from kedro.pipeline import Node, Pipeline

from pneumonia.pipelines.study.figures import draw_study
from pneumonia.report.study import draw_suspects, write_study_report
from pneumonia.study.labels import suspect_labels
from pneumonia.study.plan import plan_study
from pneumonia.study.run import Places, find_external, run_study
from pneumonia.study.summary import summarise_study

PLANNED_BY = ("study", "imbalance", "inputs", "model", "training", "evaluation")


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            Node(
                func=plan_study,
                inputs=[f"params:{name}" for name in PLANNED_BY],
                outputs="study_plan",
                name="plan_study",
            ),
            Node(
                func=find_external,
                inputs=[
                    "split_manifest",
                    "index_cache",
                    "params:study",
                    "params:ingest",
                    "params:labels",
                    "params:external",
                ],
                outputs="study_external",
                name="find_external",
            ),
            Node(
                func=run_study,
                inputs={
                    **{name: name for name in ("study_plan", "split_manifest", "study_external")},
                    **{name: f"params:{name}" for name in ("ingest", "engine")},
                    **{name: name for name in Places.__annotations__},
                },
                outputs=["study_results", "study_scores"],
                name="run_study",
            ),
            Node(func=summarise_study, inputs="study_results", outputs="study_summary", name="summarise_study"),
            Node(
                func=suspect_labels,
                inputs=["study_scores", "split_manifest"],
                outputs=["suspected_labels", "label_errors"],
                name="suspect_labels",
            ),
            Node(
                func=draw_suspects,
                inputs=["suspected_labels", "split_manifest", "pixel_store", "params:inputs"],
                outputs="suspect_gallery",
                name="draw_suspects",
            ),
            Node(func=draw_study, inputs="study_results", outputs="study_figure", name="draw_study"),
            Node(
                func=write_study_report,
                inputs={
                    "parameters": "params:study",
                    **{
                        name: name
                        for name in (
                            *("study_results", "study_summary", "study_figure", "run_context"),
                            *("suspected_labels", "label_errors", "suspect_gallery"),
                        )
                    },
                },
                outputs="study_report",
                name="write_study_report",
            ),
        ],
        namespace="study",
        prefix_datasets_with_namespace=False,
        tags="study",
    )
