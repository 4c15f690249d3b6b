"""A trained model in formats for other programs, with a check against the original."""

from pneumonia.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
