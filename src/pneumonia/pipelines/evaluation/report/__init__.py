"""The run's record, the report and the model card."""

from pneumonia.pipelines.evaluation.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
