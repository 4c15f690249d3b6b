"""The evaluation pipeline: scores, decision, metrics, audits, maps, report."""

from kedro.pipeline import Pipeline

from pneumonia.pipelines.evaluation import audit, decide, explain, measure, range, report, score, usefulness


def create_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            score.create_pipeline(),
            decide.create_pipeline(),
            measure.create_pipeline(),
            usefulness.create_pipeline(),
            audit.create_pipeline(),
            explain.create_pipeline(),
            range.create_pipeline(),
            report.create_pipeline(),
        ],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
        tags="evaluation",
    )
