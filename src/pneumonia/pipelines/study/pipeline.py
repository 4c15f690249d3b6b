"""The study pipeline: plan, train and evaluate, summarise, draw, report."""

from kedro.pipeline import Pipeline

from pneumonia.pipelines import node, stage
from pneumonia.report.study import draw_study, draw_suspects, write_study_report
from pneumonia.study.plan import plan_study
from pneumonia.study.run import Places, find_external, run_study
from pneumonia.study.summary import summarise_study, suspect_labels

PLANNED_BY = ("study", "imbalance", "inputs", "model", "training", "evaluation")


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return stage(
        "study",
        node(plan_study, [f"params:{name}" for name in PLANNED_BY], "study_plan"),
        node(
            find_external,
            ["split_manifest", "index_cache", "params:study", "params:ingest", "params:labels", "params:external"],
            "study_external",
        ),
        node(
            run_study,
            {
                **{name: name for name in ("study_plan", "split_manifest", "study_external")},
                **{name: f"params:{name}" for name in ("ingest", "engine")},
                **{name: name for name in Places.__annotations__},
            },
            ["study_results", "study_scores"],
        ),
        node(summarise_study, "study_results", "study_summary"),
        node(suspect_labels, ["study_scores", "split_manifest"], ["suspected_labels", "label_errors"]),
        node(draw_suspects, ["suspected_labels", "split_manifest", "pixel_store", "params:inputs"], "suspect_gallery"),
        node(draw_study, "study_results", "study_figure"),
        node(
            write_study_report,
            {
                "parameters": "params:study",
                "report": "params:report",
                **{
                    name: name
                    for name in (
                        *("study_plan", "study_results", "study_summary", "study_figure", "run_context"),
                        *("suspected_labels", "label_errors", "suspect_gallery"),
                    )
                },
            },
            "study_report",
        ),
    )
