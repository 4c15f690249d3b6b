"""Which images the model may judge, and how well the others are detected."""

from pneumonia.pipelines.evaluation.range.pipeline import create_pipeline

__all__ = ["create_pipeline"]
