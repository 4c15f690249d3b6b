"""What else could explain the result."""

from pneumonia.pipelines.evaluation.audit.pipeline import create_pipeline

__all__ = ["create_pipeline"]
