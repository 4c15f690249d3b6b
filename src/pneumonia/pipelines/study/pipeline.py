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
            Node(plan_study, [f"params:{name}" for name in PLANNED_BY], "study_plan", name="plan_study"),
            Node(
                find_external,
                ["split_manifest", "index_cache", "params:study", "params:ingest", "params:labels", "params:external"],
                "study_external",
                name="find_external",
            ),
            Node(
                run_study,
                {
                    **{name: name for name in ("study_plan", "split_manifest", "study_external")},
                    **{name: f"params:{name}" for name in ("ingest", "engine")},
                    **{name: name for name in Places.__annotations__},
                },
                ["study_results", "study_scores"],
                name="run_study",
            ),
            Node(summarise_study, "study_results", "study_summary", name="summarise_study"),
            Node(
                suspect_labels,
                ["study_scores", "split_manifest"],
                ["suspected_labels", "label_errors"],
                name="suspect_labels",
            ),
            Node(
                draw_suspects,
                ["suspected_labels", "split_manifest", "pixel_store", "params:inputs"],
                "suspect_gallery",
                name="draw_suspects",
            ),
            Node(draw_study, "study_results", "study_figure", name="draw_study"),
            Node(
                write_study_report,
                {
                    "parameters": "params:study",
                    "report": "params:report",
                    **{
                        name: name
                        for name in (
                            *("study_results", "study_summary", "study_figure", "run_context"),
                            *("suspected_labels", "label_errors", "suspect_gallery"),
                        )
                    },
                },
                "study_report",
                name="write_study_report",
            ),
        ],
        namespace="study",
        prefix_datasets_with_namespace=False,
        tags="study",
    )
