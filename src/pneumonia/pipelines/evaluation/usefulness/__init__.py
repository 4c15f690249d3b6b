"""The value of the decisions elsewhere."""

from pneumonia.pipelines.evaluation.usefulness.pipeline import create_pipeline

__all__ = ["create_pipeline"]
